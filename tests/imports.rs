//! Imports go one way, down the flow of the data.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What each part of `src` may import of the others, in the order of the flow.
///
/// A part is a folder, or a folder inside one that has rules of its own. Every part may import itself, and tests inside `src` may
/// import anything.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("value", &[]),
    ("topology", &["value"]),
    ("program", &["topology", "value"]),
    ("kernel", &["program", "topology", "value"]),
    ("backend", &["kernel", "program", "topology", "value"]),
    ("problem", &["backend", "kernel", "program", "topology", "value"]),
    // Linear algebra knows nothing of residuals, so that it can be used and tested by itself.
    ("linear", &[]),
    ("device", &["problem", "linear", "backend", "kernel", "program", "topology", "value"]),
    ("solver", &["device", "problem", "linear", "backend", "kernel", "program", "topology", "value"]),
    // Meshes are shapes; only their energies are problems.
    ("mesh", &[]),
    ("mesh/energy", &["mesh", "problem", "topology", "value"]),
    // A run of many solves from coarse to fine, with a driver of its own.
    ("mesh/energy/developable", &["mesh/energy", "mesh", "solver", "problem", "topology", "value"]),
    // Formulas are functions of any real numbers.
    ("formula", &[]),
    ("io", &["formula", "mesh"]),
    ("models", &["io", "problem", "topology", "value"]),
];

/// Files that go against the flow, and why they may.
const EXCEPTIONS: &[(&str, &str, &str)] = &[(
    "problem/function.rs",
    "solver",
    "CompiledResiduals::solve is the whole-function way in, and hands its problem to the solver",
)];

fn source_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            source_files(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// The part that a path of words belongs to, the most special one.
fn part_of(words: &[String]) -> Option<&'static str> {
    let longest = |(part, _): &&(&'static str, &[&str])| {
        let names: Vec<&str> = part.split('/').collect();
        words.len() >= names.len() && names.iter().zip(words).all(|(name, word)| name == word)
    };
    MAY_IMPORT.iter().filter(longest).map(|(part, _)| *part).max_by_key(|part| part.len())
}

/// What names that `lib.rs` exports stand for.
fn exported() -> BTreeMap<String, Vec<String>> {
    let library = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/src/lib.rs")).unwrap();
    let mut names = BTreeMap::new();
    for path in library.lines().filter_map(|line| line.trim().strip_prefix("pub use ")).flat_map(expand) {
        names.insert(path[path.len() - 1].clone(), path.clone());
    }
    assert!(names.contains_key("Value") && names.contains_key("Problem"), "{names:?}");
    names
}

/// The paths of a use tree, `a::{b, c::d}` as `a::b` and `a::c::d`, without renamings.
fn expand(tree: &str) -> Vec<Vec<String>> {
    let tree = tree.trim().trim_end_matches(';').trim();
    let Some(open) = tree.find('{') else {
        let path = tree.split(" as ").next().unwrap_or_default();
        return vec![path.split("::").map(|word| word.trim().to_owned()).filter(|word| !word.is_empty()).collect()];
    };
    let prefix: Vec<String> =
        tree[..open].split("::").map(|word| word.trim().to_owned()).filter(|word| !word.is_empty()).collect();
    let inner = &tree[open + 1..tree.rfind('}').expect("a closed brace")];
    let (mut depth, mut start, mut parts) = (0, 0, Vec::new());
    for (k, c) in inner.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&inner[start..k]);
                start = k + 1;
            }
            _ => {}
        }
    }
    parts.push(&inner[start..]);
    let parts = parts.into_iter().filter(|part| !part.trim().is_empty());
    parts.flat_map(expand).map(|path| prefix.iter().cloned().chain(path).collect()).collect()
}

/// Every path in the text that begins with `crate::` or goes up by `super::`, resolved against the module it stands in.
fn paths_in(text: &str, module: &[String]) -> Vec<Vec<String>> {
    let code: Vec<&str> = text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
    let code = code.join("\n");
    let mut found = Vec::new();
    for start in ["crate::", "super::"] {
        for (at, _) in code.match_indices(start) {
            // `super::super::` is found once, at its beginning.
            if code[..at].ends_with("::") || code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
                continue;
            }
            found.extend(expand(tree_at(&code[at..])).into_iter().filter_map(|path| resolve(&path, module)));
        }
    }
    found
}

/// The path or use tree at the beginning of the text.
fn tree_at(text: &str) -> &str {
    let mut depth = 0;
    let end = text.find(|c: char| {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        depth < 0 || (depth == 0 && !(c.is_alphanumeric() || "_:}".contains(c)))
    });
    &text[..end.unwrap_or(text.len())]
}

/// The path from the root of the crate.
fn resolve(path: &[String], module: &[String]) -> Option<Vec<String>> {
    let ups = path.iter().take_while(|word| *word == "super").count();
    let mut absolute = match path.first()?.as_str() {
        "crate" => Vec::new(),
        _ => module[..module.len().checked_sub(ups)?].to_vec(),
    };
    absolute.extend(path.iter().skip(ups.max(1)).cloned());
    Some(absolute)
}

/// The module of a file below `src`: `solver/mod.rs` is `solver`, `solver/step.rs` is `solver::step`.
fn module_of(file: &Path) -> Vec<String> {
    let mut module: Vec<String> =
        file.with_extension("").iter().map(|word| word.to_str().unwrap().to_owned()).collect();
    if module.last().is_some_and(|last| last == "mod") {
        module.pop();
    }
    module
}

/// Without the tests inside the file, which may import anything.
fn without_tests(text: &str) -> &str {
    let tests = text.find("#[cfg(test)]\nmod tests {");
    &text[..tests.unwrap_or(text.len())]
}

#[test]
fn the_reader_reads_imports() {
    let words = |path: &str| path.split("::").map(str::to_owned).collect::<Vec<_>>();
    let module = words("solver::step");
    let text = "
        use super::{Options, report::{Record, Table}};
        use crate::linear::{Dense, sparse::Cholesky as Sparse}; // use crate::not::this;
        fn f(x: crate::value::Value) -> super::super::problem::Problem {}
    ";
    let mut found = paths_in(text, &module);
    found.sort();
    let mut expected = [
        "solver::Options",
        "solver::report::Record",
        "solver::report::Table",
        "linear::Dense",
        "linear::sparse::Cholesky",
        "value::Value",
        "problem::Problem",
    ]
    .map(words);
    expected.sort();
    assert_eq!(found, expected);
    assert_eq!(module_of(Path::new("mesh/energy/mod.rs")), words("mesh::energy"));
    assert_eq!(part_of(&words("mesh::energy::Energy")), Some("mesh/energy"));
    assert_eq!(part_of(&words("mesh::Mesh")), Some("mesh"));
}

#[test]
fn imports_go_one_way() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    source_files(&source, &mut files);
    let exported = exported();
    let (mut against, mut imports, mut excused) = (Vec::new(), 0, BTreeSet::new());
    for file in &files {
        let name = file.strip_prefix(&source).unwrap();
        let module = module_of(name);
        let is_test = name.file_stem().is_some_and(|stem| stem == "tests" || stem == "test_problems");
        if is_test || name == Path::new("lib.rs") {
            continue;
        }
        let part = part_of(&module).unwrap_or_else(|| panic!("{} belongs to no part with a rule", name.display()));
        let allowed = MAY_IMPORT.iter().find(|(p, _)| *p == part).map(|(_, allowed)| *allowed).unwrap();
        let text = std::fs::read_to_string(file).unwrap();
        for path in paths_in(without_tests(&text), &module) {
            // `crate::Value` is what the library exports under that name.
            let path = exported.get(&path[0]).filter(|_| path.len() == 1).unwrap_or(&path);
            let Some(target) = part_of(path) else {
                assert!(path[0].starts_with(char::is_lowercase) && path.len() == 1, "{}: {path:?}", name.display());
                continue;
            };
            imports += 1;
            let key = name.to_str().unwrap().replace('\\', "/");
            if target == part || allowed.contains(&target) {
                continue;
            } else if EXCEPTIONS.iter().any(|&(file, to, _)| file == key && to == target) {
                excused.insert((key, target));
            } else {
                against.push(format!("{key} ({part}) imports {} ({target})", path.join("::")));
            }
        }
    }
    assert!(files.len() > 80 && imports > 80, "{imports} imports in {} files", files.len());
    assert!(against.is_empty(), "against the flow:\n{}", against.join("\n"));
    for &(file, to, reason) in EXCEPTIONS {
        assert!(
            excused.contains(&(file.to_owned(), to)),
            "{file} no longer imports {to} ({reason}): strike the exception"
        );
    }
}
