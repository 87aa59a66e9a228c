//! Residuals share a group exactly when they have the same shape.

mod expressions;

use expressions::{Recipe, Shape, Source, Step, operations, recipe};
use isograd::value::op::Op;
use isograd::{Blocks, Problem, Value};
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
