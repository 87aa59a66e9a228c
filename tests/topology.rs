//! Residuals share a group exactly when they have the same shape.

mod expressions;

use expressions::{Recipe, Shape, Source, Step, operations, recipe};
use isograd::mesh::energy::{Energy, MeshProblem};
use isograd::mesh::icosphere;
use isograd::value::op::Op;
use isograd::{Blocks, CompiledResiduals, Problem, Residuals, Value};
use proptest::prelude::*;
use proptest::sample::Index;
use std::collections::HashMap;

// ---------------------------------------------------------------------------------------------------------------------
// A judge that tries every renaming.

/// Numbers expression trees so that trees equal up to commutative swaps get one number.
#[derive(Default)]
struct Trees {
    numbers: HashMap<(Op, Vec<usize>), usize>,
}

/// Leaves are numbered far above the trees.
const DATA: usize = 1_000_000;
const PARAMETERS: usize = 2_000_000;

impl Trees {
    /// The number of each output. `block` and `datum` name the leaves; data are numbered as [`data_leaves`] lists them.
    fn outputs(&mut self, recipe: &Recipe, block: &[usize], datum: &[usize]) -> Vec<usize> {
        let leaves = data_leaves(recipe);
        let name = |place: Place, source: Source, steps: &[usize]| match source {
            Source::Parameter(b, component) => PARAMETERS + 100 * block[b] + component,
            Source::Step(k) => steps[k],
            leaf => DATA + datum[leaves.iter().position(|l| *l == key(place, leaf)).expect("a used leaf")],
        };
        let needed = recipe.needed();
        let mut steps = vec![usize::MAX; recipe.steps.len()];
        for (k, step) in recipe.steps.iter().enumerate().filter(|&(k, _)| needed[k]) {
            let args = step.args.iter().enumerate();
            let mut args: Vec<usize> = args.map(|(position, &a)| name((k, position), a, &steps)).collect();
            if step.op.is_commutative() {
                args.sort_unstable();
            }
            let next = self.numbers.len();
            steps[k] = *self.numbers.entry((step.op, args)).or_insert(next);
        }
        let outputs = recipe.outputs.iter().enumerate();
        outputs.map(|(k, &output)| name((recipe.steps.len(), k), output, &steps)).collect()
    }
}

/// Where an argument stands: step and position, or past the steps and output.
type Place = (usize, usize);

/// What tells data leaves apart: a column by its number, a constant by its place.
#[derive(Debug, PartialEq, Clone, Copy)]
enum DataLeaf {
    Column(usize),
    Constant(Place),
}

fn key(place: Place, source: Source) -> DataLeaf {
    match source {
        Source::Datum(k) => DataLeaf::Column(k),
        Source::Constant(_) => DataLeaf::Constant(place),
        _ => unreachable!("not a data leaf"),
    }
}

fn data_leaves(recipe: &Recipe) -> Vec<DataLeaf> {
    let needed = recipe.needed();
    let mut leaves = Vec::new();
    let mut see = |place: Place, source: Source| {
        if matches!(source, Source::Datum(_) | Source::Constant(_)) && !leaves.contains(&key(place, source)) {
            leaves.push(key(place, source));
        }
    };
    for (k, step) in recipe.steps.iter().enumerate().filter(|&(k, _)| needed[k]) {
        step.args.iter().enumerate().for_each(|(position, &a)| see((k, position), a));
    }
    recipe.outputs.iter().enumerate().for_each(|(k, &o)| see((recipe.steps.len(), k), o));
    leaves
}

fn permutations(count: usize) -> Vec<Vec<usize>> {
    let mut all = vec![Vec::new()];
    for k in 0..count {
        let extend = |p: Vec<usize>| {
            (0..=k).map(move |at| {
                let mut longer = p.clone();
                longer.insert(at, k);
                longer
            })
        };
        all = all.into_iter().flat_map(extend).collect();
    }
    all
}

/// Whether renaming blocks and data and swapping commutative arguments turns one into the other.
fn isomorphic(a: &Recipe, b: &Recipe) -> bool {
    let (data_a, data_b) = (data_leaves(a).len(), data_leaves(b).len());
    if data_a != data_b || a.block_sizes.len() != b.block_sizes.len() {
        return false;
    }
    let mut trees = Trees::default();
    let identity: Vec<usize> = (0..100).collect();
    let wanted = trees.outputs(a, &identity, &identity);
    let data = permutations(data_b);
    permutations(b.block_sizes.len())
        .iter()
        .filter(|blocks| (0..blocks.len()).all(|k| b.block_sizes[k] == a.block_sizes[blocks[k]]))
        .any(|blocks| data.iter().any(|data| trees.outputs(b, blocks, data) == wanted))
}

#[test]
fn the_judge_knows_a_few_shapes() {
    let two = |op: Op, a: Source, b: Source| Step { op, args: vec![a, b] };
    let [x, y] = [0, 1].map(|block| Source::Parameter(block, 0));
    let of = |steps: Vec<Step>| {
        let outputs = vec![Source::Step(steps.len() - 1)];
        Recipe { block_sizes: vec![1, 1], data: 0, steps, outputs }
    };
    let sum = of(vec![two(Op::Add, x, y)]);
    assert!(isomorphic(&sum, &of(vec![two(Op::Add, y, x)])));
    assert!(!isomorphic(&sum, &of(vec![two(Op::Mul, x, y)])));
    assert!(!isomorphic(&sum, &of(vec![two(Op::Add, x, x)])));
    let difference = of(vec![two(Op::Sub, x, y)]);
    assert!(isomorphic(&difference, &of(vec![two(Op::Sub, y, x)])), "x and y change their names");
    let twice = |a, b| of(vec![two(Op::Sub, x, y), two(Op::Div, Source::Step(0), a), two(Op::Sub, Source::Step(1), b)]);
    assert!(!isomorphic(&twice(x, y), &twice(y, x)));
    assert!(isomorphic(&twice(x, Source::Constant(1.0)), &twice(x, Source::Constant(2.0))));
}

// ---------------------------------------------------------------------------------------------------------------------
// Random expressions.

/// Whether the library puts the two into one group.
fn one_group(recipes: &[&Recipe]) -> bool {
    let mut problem = Problem::new();
    for recipe in recipes {
        let blocks: Vec<_> =
            recipe.block_sizes.iter().map(|&size| problem.add_parameter_block(&vec![0.7; size]).unwrap()).collect();
        let data: Vec<f64> = (0..recipe.data).map(|k| 1.5 + k as f64).collect();
        recipe.add_to(&mut problem, &blocks, &data).unwrap();
    }
    problem.topologies() == 1
}

/// Choices of a test, one after the other.
struct Choices<'a> {
    left: std::slice::Iter<'a, Index>,
}

impl Choices<'_> {
    fn below(&mut self, size: usize) -> usize {
        self.left.next().map_or(0, |index| index.index(size))
    }

    fn coin(&mut self) -> bool {
        self.below(2) == 1
    }

    fn shuffle<T>(&mut self, list: &mut [T]) {
        for k in (1..list.len()).rev() {
            list.swap(k, self.below(k + 1));
        }
    }
}

fn choices() -> impl Strategy<Value = Vec<Index>> {
    prop::collection::vec(any::<Index>(), 200)
}

/// The same shape written in another way.
fn twin(recipe: &Recipe, choices: &mut Choices<'_>) -> Recipe {
    let mut blocks: Vec<usize> = (0..recipe.block_sizes.len()).collect();
    choices.shuffle(&mut blocks);
    let mut columns: Vec<usize> = (0..recipe.data).collect();
    choices.shuffle(&mut columns);

    // Steps in another order, arguments before users; now and then one is computed twice, or a useless one comes between.
    let mut written = Recipe { block_sizes: vec![0; blocks.len()], data: recipe.data, steps: vec![], outputs: vec![] };
    for (old, &new) in blocks.iter().enumerate() {
        written.block_sizes[new] = recipe.block_sizes[old];
    }
    let mut names: Vec<Option<usize>> = vec![None; recipe.steps.len()];
    let rename =
        |source: &Source, names: &[Option<usize>], written: &mut Recipe, choices: &mut Choices<'_>| match *source {
            Source::Parameter(block, component) => Source::Parameter(blocks[block], component),
            Source::Datum(k) => Source::Datum(columns[k]),
            Source::Step(k) => Source::Step(names[k].expect("arguments come first")),
            // A constant may as well be a column of data of its own.
            Source::Constant(_) if choices.coin() => {
                written.data += 1;
                Source::Datum(written.data - 1)
            }
            Source::Constant(number) => Source::Constant(number + 0.25 + choices.below(7) as f64),
        };
    while names.contains(&None) {
        let ready: Vec<usize> = (0..recipe.steps.len())
            .filter(|&k| {
                let known = |a: &Source| if let Source::Step(j) = a { names[*j].is_some() } else { true };
                names[k].is_none() && recipe.steps[k].args.iter().all(known)
            })
            .collect();
        let k = ready[choices.below(ready.len())];
        let step = &recipe.steps[k];
        if choices.below(6) == 0 {
            written.steps.push(Step { op: Op::Exp, args: vec![Source::Parameter(0, 0)] });
        }
        let mut args: Vec<Source> = step.args.iter().map(|a| rename(a, &names, &mut written, choices)).collect();
        let repeatable = !step.args.iter().any(|a| matches!(a, Source::Constant(_)));
        if repeatable && choices.below(4) == 0 {
            written.steps.push(Step { op: step.op, args: args.clone() });
        }
        if step.op.is_commutative() && choices.coin() {
            args.swap(0, 1);
        }
        written.steps.push(Step { op: step.op, args });
        names[k] = Some(written.steps.len() - 1);
    }
    for output in &recipe.outputs {
        let output = rename(output, &names, &mut written, choices);
        written.outputs.push(output);
    }
    written
}

/// One thing changed; what came of it is for the judge to say.
fn mutated(recipe: &Recipe, choices: &mut Choices<'_>) -> Recipe {
    let mut other = recipe.clone();
    let step = choices.below(other.steps.len());
    let parameters: Vec<Source> = (0..other.block_sizes.len())
        .flat_map(|b| (0..recipe.block_sizes[b]).map(move |c| Source::Parameter(b, c)))
        .collect();
    let arity = other.steps[step].args.len();
    match choices.below(9) {
        0 => {
            let same_arity: Vec<Op> = operations().into_iter().filter(|op| op.arity() == arity).collect();
            other.steps[step].op = same_arity[choices.below(same_arity.len())];
        }
        1 => other.steps[step].args.reverse(),
        2 => {
            let position = choices.below(arity);
            other.steps[step].args[position] = parameters[choices.below(parameters.len())];
        }
        3 if step > 0 => {
            let position = choices.below(arity);
            other.steps[step].args[position] = Source::Step(choices.below(step));
        }
        4 => {
            let block = choices.below(other.block_sizes.len());
            other.block_sizes[block] += 1;
        }
        5 => other.outputs.push(Source::Step(step)),
        6 => other.outputs.reverse(),
        7 if arity > 1 => other.steps[step].args[1] = Source::Constant(1.25),
        _ => {
            if let Op::Powi(n) = &mut other.steps[step].op {
                *n += 1;
            } else {
                other.outputs[0] = Source::Step(step);
            }
        }
    }
    other.without_unused_blocks()
}

const SMALL: Shape = Shape { blocks: 3, largest_block: 2, data: 1, steps: 5, outputs: 3, tame: false, smooth: false };
const TINY: Shape = Shape { blocks: 2, largest_block: 1, data: 0, steps: 2, outputs: 1, tame: false, smooth: true };
const LARGE: Shape = Shape { blocks: 8, largest_block: 3, data: 5, steps: 60, outputs: 5, tame: false, smooth: false };

fn few_data(recipe: &Recipe) -> bool {
    data_leaves(recipe).len() <= 5
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn a_twin_is_in_the_same_group(recipe in recipe(SMALL).prop_filter("many data", few_data), choices in choices()) {
        let twin = twin(&recipe, &mut Choices { left: choices.iter() });
        prop_assert!(isomorphic(&recipe, &twin), "a twin that is none: {:#?}", twin);
        prop_assert!(one_group(&[&recipe, &twin]), "{:#?}", twin);
    }

    #[test]
    fn a_mutant_is_in_the_same_group_only_if_it_has_the_same_shape(
        recipe in recipe(SMALL).prop_filter("many data", few_data),
        choices in choices(),
    ) {
        let mut choices = Choices { left: choices.iter() };
        let mutant = mutated(&recipe, &mut choices);
        prop_assume!(few_data(&mutant));
        let twin = twin(&mutant, &mut choices);
        prop_assert_eq!(one_group(&[&recipe, &twin]), isomorphic(&recipe, &twin), "{:#?}", twin);
    }

    #[test]
    fn expressions_of_few_steps_meet_by_chance(a in recipe(TINY), b in recipe(TINY)) {
        prop_assert_eq!(one_group(&[&a, &b]), isomorphic(&a, &b));
    }

    #[test]
    fn large_twins_are_in_the_same_group(recipe in recipe(LARGE), choices in choices()) {
        let twin = twin(&recipe, &mut Choices { left: choices.iter() });
        prop_assert!(one_group(&[&recipe, &twin]));
    }
}

/// Sums of the same terms of symmetric expressions, where colours alone leave ties.
#[test]
fn symmetric_expressions_are_recognised() {
    // (x0 − x1)² + (x1 − x2)² + … round a ring, begun anywhere and walked either way.
    let ring = |order: [usize; 6]| {
        move |x: Blocks<'_>| -> Value {
            let term = |k: usize| (x[order[k]][0] - x[order[(k + 1) % 6]][0]).square();
            ((term(0) + term(1)) + (term(2) + term(3))) + (term(4) + term(5))
        }
    };
    let mut problem = Problem::new();
    let blocks = problem.add_parameter_blocks(1, &[0.1, 0.2, 0.3, 0.4, 0.5, 0.6]).unwrap();
    problem.add_residual(&blocks, ring([0, 1, 2, 3, 4, 5])).unwrap();
    for order in [[3, 5, 1, 0, 2, 4], [5, 0, 1, 2, 3, 4], [4, 3, 1, 5, 0, 2]] {
        problem.add_residual(&blocks, ring(order)).unwrap();
    }
    assert_eq!(problem.topologies(), 1);

    // Products of pairs: three matchings of four leaves are one shape, a star of pairs is another.
    let mut problem = Problem::new();
    let blocks = problem.add_parameter_blocks(1, &[0.1, 0.2, 0.3, 0.4]).unwrap();
    for [a, b, c, d] in [[0, 1, 2, 3], [0, 2, 1, 3], [3, 0, 2, 1]] {
        problem.add_residual(&blocks, |x| x[a][0] * x[b][0] + x[c][0] * x[d][0]).unwrap();
    }
    assert_eq!(problem.topologies(), 1);
    problem.add_residual(&blocks, |x| x[0][0] * x[1][0] + x[0][0] * x[2][0] * x[3][0]).unwrap();
    assert_eq!(problem.topologies(), 2);
}

// ---------------------------------------------------------------------------------------------------------------------
// What the prior implementation was tested for, and where it failed.

/// Number of topologies of functions of four scalar blocks (those that are used).
macro_rules! topologies {
    ($([$($block:literal),+] $function:expr),+ $(,)?) => {{
        let mut problem = Problem::new();
        let blocks = problem.add_parameter_blocks(1, &[1.5, 2.5, 3.5, 4.5]).unwrap();
        $(add(&mut problem, &[$(blocks[$block]),+], $function);)+
        problem.topologies()
    }};
}

fn add<R: Residuals>(problem: &mut Problem, blocks: &[isograd::BlockId], function: impl FnOnce(Blocks<'_>) -> R) {
    problem.add_residual(blocks, function).unwrap();
}

#[test]
fn other_variables_and_constants_are_the_same_shape() {
    assert_eq!(topologies!([0, 1] | x | x[0][0] * x[1][0] + 3.0, [2, 3] | x | x[0][0] * x[1][0] + 4.0), 1);
    assert_eq!(topologies!([0] | x | x[0][0] - 5.0, [1] | x | x[0][0] - 5.0, [0] | x | x[0][0] - 10.0), 1);
    assert_eq!(topologies!([0, 1] | x | x[0][0] - x[1][0], [0, 1] | x | x[1][0] - x[0][0]), 1, "only the names differ");
    assert_eq!(
        topologies!([0] | x | x[0][0].clamp(0.0, 1.0), [0] | x | x[0][0].clamp(-7.0, 9.0)),
        1,
        "bounds are data"
    );
    assert_eq!(topologies!([0] | x | x[0][0].powf(2.5), [0] | x | x[0][0].powf(3.5)), 1, "as is a fractional exponent");
}

#[test]
fn squares_are_squares_however_written() {
    assert_eq!(topologies!([0] | x | x[0][0].square(), [0] | x | x[0][0].powi(2), [0] | x | x[0][0].powf(2.0)), 1);
    assert_eq!(topologies!([0] | x | x[0][0].cube(), [0] | x | x[0][0].powi(3)), 1);
    // An exponent that is a value is not folded, whatever its number.
    assert_eq!(topologies!([0] | x | x[0][0].square(), [0] | x | x[0][0].powv(2.0)), 2);
    assert_eq!(topologies!([0] | x | x[0][0].powi(2), [0] | x | x[0][0].powi(3)), 2, "the exponent is in the shape");
    assert_eq!(topologies!([0] | x | x[0][0].powi(2), [0] | x | x[0][0].powi(-2)), 2);
}

#[test]
fn other_operations_and_links_are_other_shapes() {
    let pairs = [
        topologies!([0, 1] | x | x[0][0] + x[1][0], [0, 1] | x | x[0][0] * x[1][0]),
        topologies!([0, 1, 2] | x | (x[0][0] + x[1][0]) * x[2][0], [0, 1, 2] | x | x[0][0] * x[1][0] + x[2][0]),
        topologies!([0, 1, 2] | x | (x[0][0] - x[1][0]) - x[2][0], [0, 1, 2] | x | x[0][0] - (x[1][0] - x[2][0])),
        topologies!([0] | x | x[0][0] / 2.0, [0] | x | 2.0 / x[0][0]),
        topologies!([0] | x | x[0][0] - 2.0, [0] | x | 2.0 - x[0][0]),
        topologies!([0, 1] | x | (x[0][0] - 1.0) + (x[1][0] - 2.0), [0, 1] | x | (x[0][0] + x[1][0]) - 3.0),
        topologies!([0, 1] | x | x[0][0] * x[1][0], [0] | x | x[0][0] * 2.0),
        topologies!([0, 1] | x | x[0][0].square() + x[1][0].square(), [0, 1] | x | x[0][0].square() * x[1][0].square()),
        topologies!([0] | x | x[0][0] * x[0][0], [0, 1] | x | x[0][0] * x[1][0]),
        topologies!([0, 1] | x | x[0][0] + x[1][0] * x[0][0], [0, 1, 2] | x | x[0][0] + x[1][0] * x[2][0]),
        topologies!([0, 1] | x | x[0][0].min(x[1][0]), [0, 1] | x | x[0][0].max(x[1][0])),
        topologies!([0] | x | x[0][0].sin(), [0] | x | [x[0][0].sin(), x[0][0].sin()]),
        topologies!([0] | x | [x[0][0].sin(), x[0][0]], [0] | x | [x[0][0], x[0][0].sin()]),
    ];
    assert!(pairs.iter().all(|&count| count == 2), "{pairs:?}");
}

/// `min` and `max` are no commutative operations: at a tie the derivative goes to the first argument.
#[test]
fn arguments_of_max_keep_their_places() {
    assert_eq!(topologies!([0] | x | x[0][0].max(2.0), [0] | x | Value::constant(2.0).max(x[0][0])), 2);
    assert_eq!(topologies!([0] | x | x[0][0].hypot(2.0), [0] | x | Value::constant(2.0).hypot(x[0][0])), 1);
}

/// The prior implementation hashed `sum` like `+` and forgot that a chain has a length.
#[test]
fn sums_have_the_length_they_have() {
    let sum = |x: Blocks<'_>| Value::sum_of(&x.iter().map(|b| b[0]).collect::<Vec<_>>());
    assert_eq!(topologies!([0, 1] sum, [2, 3] | x | x[0][0] + x[1][0]), 1);
    assert_eq!(topologies!([0, 1, 2] sum, [0, 1] sum, [0, 1, 2, 3] sum), 3);
    let mean = |x: Blocks<'_>| Value::mean_of(&x.iter().map(|b| b[0]).collect::<Vec<_>>());
    assert_eq!(topologies!([0, 1] sum, [0, 1] mean, [0, 1] | x | x[0][0] * x[1][0]), 3);
}

#[test]
fn a_bare_parameter_is_a_shape() {
    assert_eq!(topologies!([0] | x | x[0][0], [1] | x | x[0][0], [0, 1] | x | [x[0][0], x[1][0]]), 2);
    assert_eq!(topologies!([0, 1] | x | [x[0][0], x[1][0]], [2, 3] | x | [x[1][0], x[0][0]]), 1);
}

#[test]
fn sizes_and_components_are_in_the_shape() {
    let mut problem = Problem::new();
    let pair = problem.add_parameter_block(&[1.0, 2.0]).unwrap();
    let triple = problem.add_parameter_block(&[1.0, 2.0, 3.0]).unwrap();
    add(&mut problem, &[pair], |x| x[0][0].sin());
    add(&mut problem, &[pair], |x| x[0][1].sin());
    add(&mut problem, &[triple], |x| x[0][0].sin());
    assert_eq!(problem.topologies(), 3);
    add(&mut problem, &[triple], |x| x[0][0].sin());
    assert_eq!(problem.topologies(), 3);
    add(&mut problem, &[pair, triple], |x| x[0][0] - x[1][0]);
    add(&mut problem, &[triple, pair], |x| x[1][0] - x[0][0]);
    assert_eq!(problem.topologies(), 4, "blocks of two sizes, in either order");
    add(&mut problem, &[triple, pair], |x| x[0][0] - x[1][0]);
    assert_eq!(problem.topologies(), 5);
}

#[test]
fn a_branch_taken_is_another_shape_and_a_select_is_not() {
    let branch = |x: Blocks<'_>| if x[0][0] > 2.0 { x[0][0].sin() } else { x[0][0].cos() };
    assert_eq!(topologies!([0] branch, [1] branch, [2] branch), 2);
    let select = |x: Blocks<'_>| Value::select(x[0][0].greater(2.0), x[0][0].sin(), x[0][0].cos());
    assert_eq!(topologies!([0] select, [1] select, [2] select), 1);
}

#[test]
fn kernel_counts() {
    // Ten distances over disjoint points.
    let mut problem = Problem::new();
    let points = problem.add_parameter_blocks(2, &(0..40).map(|k| f64::from(k * k % 17)).collect::<Vec<_>>()).unwrap();
    for (k, pair) in points.chunks(2).enumerate() {
        let target = k as f64;
        problem.add_residual(pair, |x| (x.vector::<2>(0) - x.vector::<2>(1)).norm() - target).unwrap();
    }
    let statistics = problem.compile().unwrap().statistics;
    assert_eq!((statistics.kernels, statistics.instances, statistics.reuse_factor()), (1, 10, 10.0));

    let five = |x: &[Value]| vec![x[0] + x[1], x[1] + x[2], x[0] * x[2], x[0] + x[2], x[1] * x[2]];
    assert_eq!(CompiledResiduals::compile(&[1.0, 2.0, 3.0], five).unwrap().kernels(), 2);

    let three = |x: &[Value]| vec![x[0] - 5.0, x[1] - 5.0, x[0] - 10.0];
    assert_eq!(CompiledResiduals::compile(&[1.0, 2.0], three).unwrap().kernels(), 1);

    // Directions of a hundred pairs of lines.
    let numbers: Vec<f64> = (0..408).map(|k| f64::from(k * 37 % 101)).collect();
    let parallel = |x: &[Value]| -> Vec<Value> {
        let cross = |k: usize| {
            let at = |p: usize| (x[4 * k + 2 * p], x[4 * k + 2 * p + 1]);
            let ((ax, ay), (bx, by), (cx, cy), (dx, dy)) = (at(0), at(1), at(2), at(3));
            (bx - ax) * (dy - cy) - (by - ay) * (dx - cx)
        };
        (0..100).map(cross).collect()
    };
    assert_eq!(CompiledResiduals::compile(&numbers, parallel).unwrap().kernels(), 1);

    let fit = |x: &[Value]| (0..6).map(|k| x[0] * (x[1] * f64::from(k)).exp() - f64::from(k * k)).collect();
    assert_eq!(CompiledResiduals::compile(&[1.0, 0.1], fit).unwrap().kernels(), 1);

    let squares = |x: &[Value]| x.iter().enumerate().map(|(k, &p)| (p - k as f64).square()).collect();
    let squares = CompiledResiduals::compile(&[0.5; 100], squares).unwrap();
    assert_eq!((squares.kernels(), squares.compiled().statistics.reuse_factor()), (1, 100.0));
}

/// Upstream the order of the operands made this two kernels.
#[test]
fn a_triangle_of_squared_distances_is_one_kernel() {
    let triangle = |x: &[Value]| {
        let squared = |a: usize, b: usize, target: f64| {
            (x[2 * b] - x[2 * a]).square() + (x[2 * b + 1] - x[2 * a + 1]).square() - target * target
        };
        vec![squared(0, 1, 5.0), squared(1, 2, 6.0), squared(2, 0, 6.0)]
    };
    let point = [0.0, 0.0, 3.0, 4.0, 6.0, 0.0];
    let residuals = CompiledResiduals::compile(&point, triangle).unwrap();
    assert_eq!(residuals.kernels(), 1);
    let (sum, _) = residuals.evaluate_sum_with_gradient(&point).unwrap();
    assert!((sum + 11.0).abs() < 1e-12, "{sum}");
}

/// What the registry of the prior implementation counted: leaves, each once.
#[test]
fn only_leaves_are_stored() {
    let of = |function: fn(&[Value]) -> Vec<Value>| {
        let residuals = CompiledResiduals::compile(&[1.0, 2.0], function).unwrap();
        let groups = residuals.compiled().groups.iter();
        groups.map(|g| (g.table.blocks.len(), g.table.data.len(), g.table.count)).collect::<Vec<_>>()
    };
    assert_eq!(of(|x| vec![(x[0] - x[1]).square() + 5.0]), [(2, 1, 1)], "two parameters and a number");
    assert_eq!(of(|x| vec![x[0] * 2.0, x[1] * 3.0]), [(1, 1, 2)], "one column for 2 and 3");
    assert_eq!(of(|x| vec![x[0] - x[1], x[0] - x[1]]), [(2, 0, 2)]);
    // Parameters with equal numbers stay two parameters.
    let equal = CompiledResiduals::compile(&[1.0, 1.0], |x| vec![x[0] * x[1]]).unwrap();
    assert_eq!(equal.evaluate(&[2.0, 5.0]).unwrap(), [10.0]);
}

#[test]
fn a_second_compile_takes_kernels_from_the_cache() {
    // Numbers that no other test of this process states.
    let build = |target: f64| {
        let mut problem = Problem::new();
        let blocks = problem.add_parameter_blocks(1, &[1.0, 2.0, 3.0]).unwrap();
        for &block in &blocks {
            problem.add_residual(&[block], |x| (x[0][0].cos() * 0.123_456).exp_m1() - target).unwrap();
        }
        problem.compile().unwrap()
    };
    let (first, second, third) = (build(4.0), build(4.0), build(5.0));
    assert_eq!((first.statistics.kernels, first.statistics.cache_hits), (1, 0));
    assert_eq!((second.statistics.kernels, second.statistics.cache_hits), (1, 1));
    assert!(std::sync::Arc::ptr_eq(&first.groups[0].kernel, &second.groups[0].kernel));
    // A number that all instances share is a literal of the kernel, and then another one is another kernel.
    assert_eq!(third.statistics.cache_hits, 0);
    assert_eq!(third.groups[0].kernel.topology.hash, first.groups[0].kernel.topology.hash);
}

// ---------------------------------------------------------------------------------------------------------------------
// Meshes.

/// Number of instances of each group, most first.
fn instances(problem: &Problem) -> Vec<usize> {
    let mut counts: Vec<usize> = problem.compile().unwrap().groups.iter().map(|g| g.table.count).collect();
    counts.sort_unstable_by(|a, b| b.cmp(a));
    counts
}

#[test]
fn an_icosphere_has_a_group_of_edges_and_one_a_valence() {
    for level in 0..=3 {
        let mesh = icosphere(level).unwrap();
        let quads = 4_usize.pow(level);
        let edges = 30 * quads;
        let laplacians = if level == 0 { vec![12] } else { vec![10 * quads - 10, 12] };
        for energy in [Energy::Smooth, Energy::Stretch] {
            let stated = MeshProblem::new(energy, &mesh).unwrap();
            let mut expected = vec![edges];
            expected.extend(&laplacians);
            expected.sort_unstable_by(|a, b| b.cmp(a));
            assert_eq!(instances(&stated.problem), expected, "{energy}, level {level}");
        }
        let sphere = MeshProblem::new(Energy::Sphere, &mesh).unwrap();
        assert_eq!(instances(&sphere.problem), [edges, 10 * quads + 2]);
    }
}

#[test]
fn the_direction_of_an_edge_does_not_matter() {
    let mut problem = Problem::new();
    let points = problem.add_parameter_blocks(3, &(0..12).map(f64::from).collect::<Vec<_>>()).unwrap();
    let length = |x: Blocks<'_>| (x.vector::<3>(0) - x.vector::<3>(1)).norm() - 1.0;
    let backward = |x: Blocks<'_>| (x.vector::<3>(1) - x.vector::<3>(0)).norm() - 1.0;
    for (a, b) in [(0, 1), (1, 0), (2, 3), (3, 1)] {
        problem.add_residual(&[points[a], points[b]], length).unwrap();
        problem.add_residual(&[points[a], points[b]], backward).unwrap();
    }
    assert_eq!(problem.topologies(), 1);
}

/// Neighbours are a set: a Laplacian that sums them in another order is the same shape, up to how the sum is bracketed.
#[test]
fn neighbours_may_come_in_any_order() {
    let mut problem = Problem::new();
    let points = problem.add_parameter_blocks(3, &(0..21).map(f64::from).collect::<Vec<_>>()).unwrap();
    let laplacian = |x: Blocks<'_>| {
        let sum = (2..x.len()).fold(x.vector::<3>(1), |sum, k| sum + x.vector::<3>(k));
        x.vector::<3>(0) - sum / Value::constant((x.len() - 1) as f64)
    };
    for order in [[0, 1, 2, 3, 4, 5, 6], [3, 6, 5, 4, 0, 1, 2], [6, 0, 5, 1, 4, 2, 3]] {
        problem.add_residual(&order.map(|k| points[k]), laplacian).unwrap();
    }
    assert_eq!(problem.topologies(), 1);
}
