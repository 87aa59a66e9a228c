//! Every module is valid WGSL, in every format.

use super::*;
use crate::mesh::energy::{Energy, MeshProblem};
use crate::mesh::icosphere;
use wgpu::naga;

/// Parses and validates a module.
fn validate(module: &Module) -> (naga::Module, naga::valid::ModuleInfo) {
    let parsed = naga::front::wgsl::parse_str(&module.wgsl)
        .unwrap_or_else(|error| panic!("{}: {}\n{}", module.entry, error.emit_to_string(&module.wgsl), module.wgsl));
    let capabilities = naga::valid::Capabilities::FLOAT64 | naga::valid::Capabilities::SHADER_INT64;
    let info = naga::valid::Validator::new(naga::valid::ValidationFlags::all(), capabilities)
        .validate(&parsed)
        .unwrap_or_else(|error| panic!("{}: {}\n{}", module.entry, error.emit_to_string(&module.wgsl), module.wgsl));
    (parsed, info)
}

const FORMATS: [Formats; 4] = [
    Formats { real: Format::F32, sum: Format::F64 },
    Formats { real: Format::F32, sum: Format::DoubleF32 },
    Formats { real: Format::F64, sum: Format::F64 },
    Formats { real: Format::DoubleF32, sum: Format::DoubleF32 },
];

#[test]
fn every_module_is_valid() {
    let mesh = icosphere(2).unwrap();
    let stated = MeshProblem::new(Energy::Smooth, &mesh).unwrap();
    let compiled = stated.problem.compile().unwrap();
    let kernels: Vec<_> = compiled.groups.iter().map(|g| &*g.kernel).collect();
    for formats in FORMATS {
        let mut kinds = Vec::new();
        for (group, kernel) in kernels.iter().enumerate() {
            let derivatives: Vec<Derivative> = kernel
                .linearization
                .entries
                .iter()
                .filter(|e| e.block == 0)
                .map(|e| Derivative {
                    residual: e.residual,
                    component: e.component,
                    factor: e.factor,
                    stored: e.stored,
                })
                .collect();
            kinds.push(Kind { group, derivatives });
        }
        let classes = [Class { size: 3, lanes: 4, kinds: kinds.clone() }, Class { size: 3, lanes: 128, kinds }];
        let modules = [
            residuals(&kernels, formats, Slot::TrialPoint, Slot::TrialResiduals).unwrap(),
            linearize(&kernels, formats).unwrap(),
            jacobian_product(&kernels, formats).unwrap(),
            normal(&kernels, &classes, formats).unwrap(),
            damp(&classes, formats).unwrap(),
            start(&classes, formats).unwrap(),
            image(&kernels, &classes, formats).unwrap(),
            update(&classes, formats).unwrap(),
            advance(&classes, formats).unwrap(),
            compare(formats),
            decide(formats),
            commit(formats),
            examine(formats),
        ];
        for module in &modules {
            validate(module);
            assert!(module.bindings.len() <= 10, "{}", module.entry);
        }
    }
}
