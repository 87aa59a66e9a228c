//! The hand-written functions in `kernels/`, taken over one by one as generated code needs them.

use rustc_hash::FxHashMap;
use std::sync::LazyLock;

/// The text of a file in `kernels/`, for browsers as the build script bares it.
macro_rules! kernels {
    ($name:literal) => {{
        #[cfg(not(target_arch = "wasm32"))]
        let text = include_str!(concat!("../../../kernels/", $name, ".wgsl"));
        #[cfg(target_arch = "wasm32")]
        let text = include_str!(concat!(env!("OUT_DIR"), "/", $name, ".wgsl"));
        text
    }};
}

const SOURCES: &[&str] = &[
    kernels!("f32"),
    // WebGPU has no double precision.
    #[cfg(not(target_arch = "wasm32"))]
    kernels!("f64"),
    kernels!("df32"),
    kernels!("solver"),
    kernels!("gather"),
    kernels!("component"),
    kernels!("predict"),
];

/// A top-level item with the comment above it.
struct Item {
    text: String,
    /// Names of items that this one mentions.
    needs: Vec<String>,
}

struct Library {
    items: Vec<Item>,
    by_name: FxHashMap<String, usize>,
}

static LIBRARY: LazyLock<Library> = LazyLock::new(|| {
    let constants = super::state::constants() + &super::component::constants();
    Library::new(SOURCES.iter().copied().chain([constants.as_str()]))
});

impl Library {
    fn new<'s>(sources: impl Iterator<Item = &'s str>) -> Self {
        let mut library = Library { items: Vec::new(), by_name: FxHashMap::default() };
        for source in sources {
            let mut text = String::new();
            let mut name = None;
            for line in source.lines() {
                if line.is_empty() && name.is_none() {
                    // A comment that stands alone belongs to the file, not to an item.
                    text.clear();
                    continue;
                }
                text.push_str(line);
                text.push('\n');
                if name.is_none() {
                    name = item_name(line);
                }
                let ends = line == "}" || !line.starts_with([' ', '/']) && line.ends_with([';', '}']);
                if let Some(name) = name.take_if(|_| ends) {
                    library.by_name.insert(name, library.items.len());
                    library.items.push(Item { text: std::mem::take(&mut text), needs: Vec::new() });
                }
            }
        }
        for item in &mut library.items {
            item.needs =
                identifiers(&item.text).filter(|name| library.by_name.contains_key(*name)).map(str::to_owned).collect();
        }
        library
    }
}

/// The name of the item that begins on this line.
fn item_name(line: &str) -> Option<String> {
    let rest = ["fn ", "const ", "struct ", "alias ", "var<private> ", "var<workgroup> "]
        .iter()
        .find_map(|start| line.strip_prefix(start))?;
    identifiers(rest).next().map(str::to_owned)
}

/// The words of a text outside comments.
pub(super) fn identifiers(text: &str) -> impl Iterator<Item = &str> {
    let code = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    code.flat_map(|line| line.split(|c: char| !c.is_alphanumeric() && c != '_')).filter(|word| !word.is_empty())
}

/// The items that `text` needs, in the order of the files.
pub(super) fn needed_by(text: &str) -> String {
    let library = &*LIBRARY;
    let mut is_needed = vec![false; library.items.len()];
    let mut open: Vec<usize> = identifiers(text).filter_map(|name| library.by_name.get(name).copied()).collect();
    while let Some(index) = open.pop() {
        if !std::mem::replace(&mut is_needed[index], true) {
            open.extend(library.items[index].needs.iter().map(|name| library.by_name[name]));
        }
    }
    let needed = library.items.iter().zip(is_needed).filter(|&(_, is_needed)| is_needed);
    needed.flat_map(|(item, _)| [&item.text, "\n"]).collect()
}

/// Whether the library has the function that an operation is spelled with.
#[cfg(test)]
pub(super) fn has(name: &str, format: super::Format) -> bool {
    LIBRARY.by_name.contains_key(&format!("{name}_{}", format.suffix()))
}
