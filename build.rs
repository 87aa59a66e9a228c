//! Writes down the kernels without comments: a module for browsers carries their text.

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=kernels");
    if env::var("CARGO_CFG_TARGET_ARCH")? != "wasm32" {
        return Ok(());
    }
    let out = PathBuf::from(env::var("OUT_DIR")?);
    for file in fs::read_dir("kernels")? {
        let file = file?;
        fs::write(out.join(file.file_name()), bare(&fs::read_to_string(file.path())?))?;
    }
    Ok(())
}

/// The lines that are not empty without their comments; of an indentation one space stays, which tells them from the first of an item.
fn bare(text: &str) -> String {
    let mut lines = Vec::new();
    for line in text.lines() {
        let code = line.split("//").next().unwrap_or_default();
        let indentation = if code.starts_with(' ') { " " } else { "" };
        if !code.trim().is_empty() {
            lines.push(format!("{indentation}{}\n", code.trim()));
        }
    }
    lines.concat()
}
