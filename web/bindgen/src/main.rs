//! `isograd-web-bindgen MODULE FOLDER`: writes the JavaScript and TypeScript side of a compiled module, and the module itself, into a
//! folder, as `wasm-bindgen --target web` does.

use std::process::ExitCode;
use wasm_bindgen_cli_support::Bindgen;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [module, folder] = arguments.as_slice() else {
        eprintln!("usage: isograd-web-bindgen MODULE.wasm FOLDER");
        return ExitCode::FAILURE;
    };
    let made = Bindgen::new()
        .input_path(module)
        .web(true)
        .and_then(|bindgen| bindgen.out_name("isograd").omit_default_module_path(false).typescript(true).generate(folder));
    match made {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{module}: {error:#}");
            ExitCode::FAILURE
        }
    }
}
