//! Every module is valid WGSL, in every format.

use super::*;
use crate::kernel::{Kernel, Specialization};
use crate::mesh::energy::{Energy, MeshProblem};
use crate::mesh::icosphere;
use crate::topology::{Expression, ExpressionNode, Ref, Topology};
use crate::value::op::Op;
use wgpu::naga;

/// Parses and validates a module.
fn validate(module: &Module) -> (naga::Module, naga::valid::ModuleInfo) {
    let parsed = naga::front::wgsl::parse_str(&module.wgsl)
        .unwrap_or_else(|error| panic!("{}: {}\n{}", module.entry, error.emit_to_string(&module.wgsl), module.wgsl));
    let capabilities = naga::valid::Capabilities::FLOAT64
        | naga::valid::Capabilities::SHADER_INT64
        | naga::valid::Capabilities::SHADER_INT64_ATOMIC_ALL_OPS
        | naga::valid::Capabilities::SHADER_FLOAT32_ATOMIC;
    let info = naga::valid::Validator::new(naga::valid::ValidationFlags::all(), capabilities)
        .validate(&parsed)
        .unwrap_or_else(|error| panic!("{}: {}\n{}", module.entry, error.emit_to_string(&module.wgsl), module.wgsl));
    (parsed, info)
}

/// Validates a module, and translates it for every backend that has its formats.
fn translate(module: &Module) {
    let (parsed, info) = validate(module);
    naga::back::spv::write_vec(&parsed, &info, &naga::back::spv::Options::default(), None)
        .unwrap_or_else(|error| panic!("{} for Vulkan: {error}", module.entry));
    // Metal has neither doubles nor exchanges of 64 bits, and Direct3D's doubles come without bits.
    if ["alias R = f64", "alias S = f64", "SumBits = u64"].iter().any(|alias| module.wgsl.contains(alias)) {
        return;
    }
    let version = naga::back::msl::Options { lang_version: (3, 0), ..Default::default() };
    naga::back::msl::write_string(&parsed, &info, &version, &naga::back::msl::PipelineOptions::default())
        .unwrap_or_else(|error| panic!("{} for Metal: {error}", module.entry));
    if module.wgsl.contains("SumBits = f32") {
        return;
    }
    let (options, pipeline) = (naga::back::hlsl::Options::default(), naga::back::hlsl::PipelineOptions::default());
    let mut text = String::new();
    naga::back::hlsl::Writer::new(&mut text, &options, &pipeline)
        .write(&parsed, &info, None)
        .unwrap_or_else(|error| panic!("{} for Direct3D: {error}", module.entry));
}

/// Those that do not depend on the problem.
#[test]
fn sorting_is_valid() {
    for (entry, wgsl) in [
        ("lists", include_str!("../../../kernels/lists.wgsl")),
        ("locality", include_str!("../../../kernels/locality.wgsl")),
    ] {
        translate(&Module { entry: entry.to_owned(), wgsl: wgsl.to_owned(), bindings: Vec::new(), statements: 0 });
    }
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
            kinds.push(Kind { group, derivatives, own: Some((0, 0)) });
        }
        let class = |lanes: u32, eliminated: bool| {
            let one_shard = lanes == 4;
            Class { size: 3, lanes, kinds: kinds.clone(), eliminated, one_shard }
        };
        let classes = [class(4, false), class(128, false)];
        let points = [class(1, true), class(8, true)];
        let pair = |kind: &Kind| PairKind {
            group: kind.group,
            row: kind.derivatives.clone(),
            column: kind.derivatives.clone(),
        };
        let pairs = [false, true].map(|multiples| {
            let kinds = kinds.iter().map(pair).collect();
            PairClass { rows: 3, columns: 3, multiples, kinds }
        });
        let shape = |lanes: u32, width: u32, multiples: bool| RowShape { lanes, width, multiples };
        let computed = Jacobian::Computed;
        let inverse_rows = InverseRows { sizes: vec![3] };
        let bounded = Damp { bounded: true, ..Damp::default() };
        let modules = [
            residuals(&kernels, formats, Slot::TrialPoint, Slot::TrialResiduals).unwrap(),
            linearize(&kernels, formats).unwrap(),
            jacobian_product(&kernels, formats).unwrap(),
            normal(&kernels, &classes, formats).unwrap(),
            damp(&classes, formats, Damp::default()).unwrap(),
            damp(&classes, formats, Damp { bounded: true, reduced: true, inverse_rows: None }).unwrap(),
            damp(&points, formats, Damp { inverse_rows: Some(&inverse_rows), ..bounded }).unwrap(),
            eliminate(&kernels, &classes, formats, &inverse_rows).unwrap(),
            hold(&classes, formats).unwrap(),
            start(&classes, formats, false, true).unwrap(),
            start(&classes, formats, true, false).unwrap(),
            direct(&classes, formats).unwrap(),
            complete(&kernels, &points, formats, Jacobian::Stored).unwrap(),
            reduced_product(&kernels, &classes, formats, Jacobian::Stored).unwrap(),
            reduced_product(&kernels, &classes, formats, computed).unwrap(),
            step_product(&kernels, formats).unwrap(),
            image(&kernels, &classes, formats).unwrap(),
            update(&classes, formats, false).unwrap(),
            update(&classes, formats, true).unwrap(),
            assemble(&kernels, &pairs, formats).unwrap(),
            start_iterate(&classes, formats).unwrap(),
            iterate(&classes, &[shape(4, 1, false), shape(32, 3, true)], formats).unwrap(),
            finish_iterate(&classes, formats).unwrap(),
            advance(&classes, formats, false).unwrap(),
            advance(&classes, formats, true).unwrap(),
            compare(formats),
            start_cost(formats),
            decide(formats),
            commit(formats),
            examine(formats),
            gradient(&kernels, formats, Addition::Gather).unwrap(),
            jtj_product(&kernels, formats, Addition::Gather).unwrap(),
            gather(formats),
            gather_long(formats),
            clear_held(formats),
        ];
        let atomic = [Addition::Atomic, Addition::CompareExchange].into_iter().flat_map(|addition| {
            [gradient(&kernels, formats, addition).unwrap(), jtj_product(&kernels, formats, addition).unwrap()]
        });
        let atomic = atomic.filter(|module| formats.real == Format::F32 || !module.wgsl.contains("SumBits = f32"));
        for module in modules.into_iter().chain(atomic) {
            translate(&module);
            // A browser grants eight storage buffers.
            let storage = module.bindings.iter().filter(|(slot, _)| slot.uniform().is_none());
            assert!(storage.count() <= 8, "{}", module.entry);
        }
    }
}

/// Components of a vertex, an edge to a fixed one, and an edge to another of its own, with and without bounds.
#[test]
fn every_component_module_is_valid() {
    let mesh = icosphere(1).unwrap();
    let stated = MeshProblem::new(Energy::Smooth, &mesh).unwrap();
    let compiled = stated.problem.compile().unwrap();
    let kernels: Vec<_> = compiled.groups.iter().map(|g| &*g.kernel).collect();
    let group = kernels.iter().position(|kernel| kernel.program.block_sizes == [3, 3]).expect("an edge");
    let block = |columns: [Option<usize>; 3]| OwnBlock { size: 3, columns: columns.to_vec(), retraction: None };
    let kind = |blocks: [Option<usize>; 2]| OwnKind { group, blocks: blocks.to_vec() };
    for (formats, bounded) in FORMATS.into_iter().flat_map(|formats| [(formats, false), (formats, true)]) {
        let shape = Shape {
            blocks: vec![block([Some(0), Some(1), Some(2)]), block([Some(3), None, Some(4)])],
            kinds: vec![kind([Some(0), None]), kind([Some(1), Some(0)])],
            bounded,
        };
        assert_eq!((shape.scalars(), shape.ambient(), shape.obstacle(&kernels)), (5, 6, None));
        let module = component(&shape, &kernels, formats).unwrap();
        translate(&module);
        let storage = module.bindings.iter().filter(|(slot, _)| slot.uniform().is_none());
        assert!(storage.count() <= 8);
    }
}

/// What kernels write as a word is read as the same outcome.
#[test]
fn outcomes_of_components_are_their_words() {
    let constants = super::component::constants();
    for word in 0..10 {
        let outcome = OwnOutcome::of_word(word);
        assert_eq!((outcome as u32, outcome.is_running()), (word, word < 2));
        assert!(constants.contains(&format!(": u32 = {word}u;")));
    }
    assert_eq!(OwnOutcome::of_word(1000), OwnOutcome::NotFinite);
    assert!(constants.contains(&format!("const OWN_COST: u32 = {OWN_COST}u;")));
    assert!(constants.contains(&format!("const OWN_STEPS: u32 = {OWN_STEPS}u;")));
}

/// The operation of three parameters.
fn kernel_of(op: Op) -> Kernel {
    let arg = |k: usize| Ref::Parameter { block: 0, component: if k < op.arity() { k as u32 } else { 0 } };
    let nodes = vec![ExpressionNode { op, args: [arg(0), arg(1), arg(2)] }];
    let expression = Expression { block_sizes: vec![3], data: 0, nodes, outputs: vec![Ref::Node(0)] };
    Kernel::new(Topology { expression: expression.into(), hash: 0 }, Specialization::default())
}

#[test]
fn every_operation_is_lowered_in_every_format() {
    let powers = [-3, -1, 0, 1, 2, 7].map(Op::Powi);
    for op in Op::ALL.iter().copied().filter(|op| !op.is_leaf()).chain(powers) {
        for format in [Format::F32, Format::F64, Format::DoubleF32] {
            let arguments = ["a", "b", "c"];
            let spelling =
                if let Op::Powi(_) = op { String::new() } else { format.operation(op, &arguments[..op.arity()]) };
            // What is not spelled by an operator or one of the language's own functions is in `kernels/`.
            if spelling.contains(&format!("_{}(", format.suffix())) {
                assert!(library::has(op.name(), format), "{op:?} has no function for {format:?} in kernels/");
            }
        }
        let kernel = kernel_of(op);
        for formats in [FORMATS[2], FORMATS[3], Formats { real: Format::F32, sum: Format::F32 }] {
            translate(&linearize(&[&kernel], formats).unwrap());
        }
    }
}

#[test]
fn blocks_are_cut_into_pieces_without_gaps() {
    for size in 1..100 {
        let all: Vec<_> = pieces(size).collect();
        assert!(all.iter().all(|range| (1..=MOST_COMPONENTS).contains(&range.len())));
        assert_eq!((all[0].start, all[all.len() - 1].end as usize), (0, size));
        assert!(all.windows(2).all(|two| two[0].end == two[1].start));
    }
}

#[test]
fn the_self_test_is_valid() {
    let (wgsl, entry) = self_test();
    translate(&Module { entry: entry.to_owned(), wgsl, bindings: Vec::new(), statements: 0 });
}

#[test]
fn what_is_decoded_is_what_was_rounded() {
    let some = [0.0, -0.0, 1.0, 0.1, -1e10 / 3.0, 1e-40, 5e-324, f64::from(f32::MAX), 1e39, -f64::MAX, f64::INFINITY];
    // More than a thread takes at a time, and not a multiple of it.
    let numbers: Vec<f64> = (0..5000).flat_map(|k| some.map(|x| x * (1.0 + f64::from(k) / 7.0))).collect();
    for format in [Format::F32, Format::F64, Format::DoubleF32] {
        let decoded = format.decode(&format.encode(&numbers));
        let rounded = numbers.iter().map(|&x| format.round(x));
        assert!(decoded.iter().map(|x| x.to_bits()).eq(rounded.map(f64::to_bits)), "{format:?}");
    }
    assert!(Format::F32.round(f64::NAN).is_nan() && Format::DoubleF32.round(f64::NAN).is_nan());
}
