//! The mesh energies against reference costs.
//!
//! The costs come from `reference.json` of the project's shared data: Ceres 2.1, Levenberg-Marquardt, tolerances 1e-12, at most 200
//! iterations; initial costs agree with a numpy implementation to 1e-12. Those of small icospheres are copied here. Where the
//! folder `../shared/data` exists, all of it is checked.

use isograd::io::read_mesh;
use isograd::mesh::energy::{Energy, MeshProblem, Tracing};
use isograd::mesh::{Mesh, icosphere};
use isograd::{SolverOptions, SolverReport};
use std::path::{Path, PathBuf};

fn options() -> SolverOptions {
    SolverOptions {
        function_tolerance: 1e-12,
        gradient_tolerance: 1e-12,
        parameter_tolerance: 1e-12,
        max_iterations: 200,
        ..SolverOptions::default()
    }
}

/// The cost at the start, without a solve.
fn initial_cost(stated: &MeshProblem) -> f64 {
    let compiled = stated.problem.compile().unwrap();
    let mut evaluation = compiled.new_evaluation();
    compiled.evaluate_residuals(stated.problem.parameters().values(), &mut evaluation).unwrap();
    evaluation.cost()
}

fn relative(found: f64, expected: f64) -> f64 {
    (found - expected).abs() / expected.abs()
}

/// Level, energy, initial cost, final cost.
const SMALL: [(u32, Energy, f64, f64); 12] = [
    (1, Energy::Arap, 332.2997296589085, 3.5211380991142383),
    (1, Energy::Smooth, 6.158047791259413, 0.442316364699998),
    (1, Energy::Sphere, 6.255803395123327, 0.4781565182399731),
    (1, Energy::Stretch, 8.360097072090708, 0.06924458284118283),
    (2, Energy::Arap, 3017.7490539783353, 11.364102503936762),
    (2, Energy::Smooth, 22.754241566860987, 0.5244689668559458),
    (2, Energy::Sphere, 31.332387896500304, 2.4587428871944463),
    (2, Energy::Stretch, 32.371297474714446, 0.08138142223251896),
    (3, Energy::Arap, 35608.554301328055, 40.37219162233042),
    (3, Energy::Smooth, 90.51735940080431, 0.6879858339611243),
    (3, Energy::Sphere, 231.50204458968295, 10.747047450963876),
    (3, Energy::Stretch, 130.22541609396106, 0.10336395684093033),
];

#[test]
fn small_icospheres_reach_the_reference() {
    for (level, energy, initial, last) in SMALL {
        let mut stated = MeshProblem::new(energy, &icosphere(level).unwrap()).unwrap();
        let report = stated.problem.solve(&options()).unwrap();
        let name = format!("icosphere:{level}#{energy}");
        assert!(relative(report.initial_cost, initial) < 1e-9, "{name}: {} for {initial}", report.initial_cost);
        assert!(relative(report.final_cost, last) < 1e-6, "{name}: {} for {last}\n{report}", report.final_cost);
        assert!(report.termination.is_converged(), "{name}: {report}");
    }
}

/// A large mesh has fewer factorisations than steps, and all else as before: the reference, and one result for any number of threads.
#[test]
fn steps_of_a_large_icosphere_share_factors() {
    let solve = |threads| {
        let mut stated = MeshProblem::new(Energy::Smooth, &icosphere(5).unwrap()).unwrap();
        let report = stated.problem.solve(&SolverOptions { threads, ..options() }).unwrap();
        let bits: Vec<u64> = stated.problem.parameters().values().iter().map(|x| x.to_bits()).collect();
        (report, bits)
    };
    let (one, parameters) = solve(1);
    assert!(one.factorizations < one.iteration_count(), "{one}");
    assert!(one.iterations.iter().any(|record| record.linear_iterations > 1), "{one}");
    assert!(relative(one.final_cost, 1.6579681380296112) < 1e-9, "{one}");
    let (several, same) = solve(3);
    assert_eq!(one.final_cost.to_bits(), several.final_cost.to_bits());
    assert!(parameters == same, "parameters depend on the number of threads");
}

/// The ways of stating a problem make the same groups, the same numbers and take the same steps. (The topology of `arap` differs: it
/// uses its data in several places, and a constant is a leaf of its own in each, where a column of a template is one leaf.)
#[test]
fn tracing_by_template_and_by_block_are_one_problem() {
    for energy in Energy::ALL {
        let build = |tracing| MeshProblem::with_tracing(energy, &icosphere(2).unwrap(), tracing).unwrap();
        let (mut template, mut blocks) = (build(Tracing::Template), build(Tracing::EachBlock));
        let groups = |stated: &MeshProblem| {
            let compiled = stated.problem.compile().unwrap();
            let groups = compiled.groups.iter().enumerate();
            let hash = |k: usize| (energy != Energy::Arap).then(|| compiled.groups[k].kernel.topology.hash);
            groups.map(|(k, g)| (hash(k), g.table.count, compiled.name(k).map(str::to_owned))).collect::<Vec<_>>()
        };
        assert_eq!(groups(&template), groups(&blocks), "{energy}");
        let options = SolverOptions { max_iterations: 5, ..options() };
        let costs = |report: SolverReport| report.iterations.iter().map(|record| record.cost).collect::<Vec<_>>();
        let (a, b) = (costs(template.problem.solve(&options).unwrap()), costs(blocks.problem.solve(&options).unwrap()));
        assert_eq!(a.len(), b.len());
        for (a, b) in a.iter().zip(&b) {
            assert!(relative(*a, *b) < 1e-10, "{energy}: {a} and {b}");
        }
        for (p, q) in template.positions().as_flattened().iter().zip(blocks.positions().as_flattened()) {
            assert!((p - q).abs() < 1e-8, "{energy}");
        }
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// All of the reference, where it is there.

struct Entry {
    name: String,
    mesh: Mesh,
    energy: Energy,
    initial: f64,
    last: f64,
    best: f64,
    how: String,
    residuals: usize,
    parameters: usize,
    /// Parameters times iterations: what a solve costs, roughly.
    work: f64,
}

/// The mesh entries of `reference.json`, or `None` where the shared data are absent.
fn reference() -> Option<Vec<Entry>> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data"));
    let Ok(text) = std::fs::read_to_string(folder.join("reference.json")) else {
        println!("{} is absent, so only the costs copied into this file are checked", folder.display());
        return None;
    };
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let problems = json["problems"].as_object().unwrap();
    let entries: Vec<Entry> = problems.iter().filter_map(|(name, entry)| read_entry(&folder, name, entry)).collect();
    assert!(entries.len() > 30, "{} mesh problems", entries.len());
    Some(entries)
}

fn read_entry(folder: &Path, name: &str, entry: &serde_json::Value) -> Option<Entry> {
    let (source, energy) = name.split_once('#')?;
    let mesh = match source.strip_prefix("icosphere:") {
        Some(level) => icosphere(level.parse().unwrap()).unwrap(),
        None if source.starts_with("mesh/") => read_mesh(folder.join(source)).unwrap(),
        None => return None,
    };
    let number = |key: &str| entry[key].as_f64().unwrap_or_else(|| panic!("{name}: no {key}"));
    Some(Entry {
        name: name.to_owned(),
        mesh,
        energy: energy.parse().unwrap(),
        initial: number("initial_cost"),
        last: number("final_cost"),
        best: number("best_cost"),
        how: entry["match"].as_str().unwrap().to_owned(),
        residuals: number("residuals") as usize,
        parameters: number("parameters") as usize,
        work: number("parameters") * number("iterations"),
    })
}

#[test]
fn every_reference_start_has_its_cost() {
    for entry in reference().into_iter().flatten() {
        let stated = MeshProblem::new(entry.energy, &entry.mesh).unwrap();
        assert_eq!(stated.problem.residuals(), entry.residuals, "{}", entry.name);
        assert_eq!(stated.problem.parameters().values().len(), entry.parameters, "{}", entry.name);
        let found = initial_cost(&stated);
        assert!(relative(found, entry.initial) < 1e-9, "{}: {found} for {}", entry.name, entry.initial);
    }
}

/// More work than this is left to the demo, which compares the same entries.
const WORK: f64 = 400_000.0;

#[test]
fn reference_optima_are_reached() {
    for entry in reference().into_iter().flatten() {
        let Entry { name, initial, last, best, .. } = &entry;
        if entry.work > WORK {
            println!("{name}: left to the demo");
            continue;
        }
        let mut stated = MeshProblem::new(entry.energy, &entry.mesh).unwrap();
        let report = stated.problem.solve(&options()).unwrap();
        assert!(relative(report.initial_cost, *initial) < 1e-9, "{name}: {} for {initial}", report.initial_cost);
        let found = report.final_cost;
        match entry.how.as_str() {
            "exact" => {
                assert!(relative(found, *best) < 1e-6, "{name}: {found} for {best}\n{report}");
                println!("{name}: {}", report.brief());
            }
            // Another minimum than Ceres's is allowed, and said.
            "hard" | "slow" if found > last * (1.0 + 1e-6) => {
                println!("{name}: {found} above {last}; {}", report.brief())
            }
            "hard" | "slow" => println!("{name}: {found}, not above {last}; {}", report.brief()),
            other => panic!("{name}: what is {other:?}?"),
        }
        assert!(found < *initial);
    }
}
