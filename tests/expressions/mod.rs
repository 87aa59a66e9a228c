//! Random expressions over every operation: recorded as `Value`s, or as an `Expression` by hand.
#![allow(dead_code, reason = "each test binary uses a part")]

use isograd::topology::{Expression, ExpressionNode, Ref};
use isograd::value::op::Op;
use isograd::{BlockId, Blocks, Problem, ProblemError, Table, Value};
use proptest::prelude::*;
use proptest::sample::Index;

/// An argument or an output.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Source {
    /// Component of a parameter block.
    Parameter(usize, usize),
    /// Data column: one leaf, however often it is used.
    Datum(usize),
    /// A number written into the code: a leaf of its own at every place.
    Constant(f64),
    /// An earlier step.
    Step(usize),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    pub op: Op,
    pub args: Vec<Source>,
}

/// An expression: what a residual function computes from blocks and data.
#[derive(Debug, Clone, PartialEq)]
pub struct Recipe {
    pub block_sizes: Vec<usize>,
    pub data: usize,
    pub steps: Vec<Step>,
    pub outputs: Vec<Source>,
}

/// `op` as a user writes it. The match is exhaustive, so that a new operation does not compile without a test.
pub fn apply(op: Op, args: &[Value]) -> Value {
    let [a, b, c] = [0, 1, 2].map(|k| args[k.min(args.len() - 1)]);
    match op {
        Op::Variable | Op::Datum => panic!("a leaf is not applied"),
        Op::Neg => -a,
        Op::Abs => a.abs(),
        Op::Sign => a.sign(),
        Op::Floor => a.floor(),
        Op::Ceil => a.ceil(),
        Op::Round => a.round(),
        Op::Trunc => a.trunc(),
        Op::Sqrt => a.sqrt(),
        Op::Cbrt => a.cbrt(),
        Op::Recip => a.recip(),
        Op::Powi(n) => a.powi(n),
        Op::Exp => a.exp(),
        Op::Exp2 => a.exp2(),
        Op::ExpM1 => a.exp_m1(),
        Op::Ln => a.ln(),
        Op::Ln1p => a.ln_1p(),
        Op::Log2 => a.log2(),
        Op::Log10 => a.log10(),
        Op::Sin => a.sin(),
        Op::Cos => a.cos(),
        Op::Tan => a.tan(),
        Op::Asin => a.asin(),
        Op::Acos => a.acos(),
        Op::Atan => a.atan(),
        Op::Sinh => a.sinh(),
        Op::Cosh => a.cosh(),
        Op::Tanh => a.tanh(),
        Op::Asinh => a.asinh(),
        Op::Acosh => a.acosh(),
        Op::Atanh => a.atanh(),
        Op::Sigmoid => a.sigmoid(),
        Op::Softplus => a.softplus(),
        Op::Add => a + b,
        Op::Sub => a - b,
        Op::Mul => a * b,
        Op::Div => a / b,
        Op::Rem => a % b,
        Op::Powf => a.powv(b),
        Op::Atan2 => a.atan2(b),
        Op::Hypot => a.hypot(b),
        Op::Min => a.min(b),
        Op::Max => a.max(b),
        Op::Copysign => a.copysign(b),
        Op::Eq => a.equal(b),
        Op::Ne => a.not_equal(b),
        Op::Lt => a.less(b),
        Op::Le => a.less_equal(b),
        Op::Gt => a.greater(b),
        Op::Ge => a.greater_equal(b),
        Op::Select => Value::select(a, b, c),
        Op::Clamp => a.clamp(b, c),
    }
}

impl Recipe {
    /// Computes the outputs; `parameters[block][component]`.
    pub fn record(&self, parameter: impl Fn(usize, usize) -> Value, data: &[Value]) -> Vec<Value> {
        let mut values: Vec<Value> = Vec::with_capacity(self.steps.len());
        let find = |source: &Source, values: &[Value]| match *source {
            Source::Parameter(block, component) => parameter(block, component),
            Source::Datum(k) => data[k],
            Source::Constant(number) => Value::constant(number),
            Source::Step(k) => values[k],
        };
        for step in &self.steps {
            let args: Vec<Value> = step.args.iter().map(|a| find(a, &values)).collect();
            values.push(apply(step.op, &args));
        }
        self.outputs.iter().map(|o| find(o, &values)).collect()
    }

    /// As a residual function.
    pub fn residuals(&self, x: Blocks<'_>, data: &[Value]) -> Vec<Value> {
        self.record(|block, component| x[block][component], data)
    }

    /// Adds a residual block for each row of blocks (and data, one row after the other).
    pub fn add_to(
        &self,
        problem: &mut Problem,
        blocks: &[BlockId],
        data: &[f64],
    ) -> Result<std::ops::Range<usize>, ProblemError> {
        let blocks = Table { width: self.block_sizes.len(), entries: blocks };
        if self.data == 0 {
            problem.add_residual_batch(&blocks, &(), |x, d| self.residuals(x, d))
        } else {
            let data = Table { width: self.data, entries: data };
            problem.add_residual_batch(&blocks, &data, |x, d| self.residuals(x, d))
        }
    }

    /// The number of scalar parameters.
    pub fn parameters(&self) -> usize {
        self.block_sizes.iter().sum()
    }

    /// Value and gradient (all parameters, block by block) of each output, by eager `backward`.
    pub fn eager(&self, blocks: &[&[f64]], data: &[f64]) -> Vec<(f64, Vec<f64>)> {
        Value::scope(|| {
            let leaves: Vec<Vec<Value>> =
                blocks.iter().map(|block| block.iter().map(|&x| Value::variable(x)).collect()).collect();
            let constants: Vec<Value> = data.iter().map(|&d| Value::constant(d)).collect();
            let outputs = self.record(|block, component| leaves[block][component], &constants);
            let flat: Vec<Value> = leaves.concat();
            outputs.iter().map(|o| (o.primal(), o.gradient(&flat).unwrap())).collect()
        })
    }

    /// The same as an [`Expression`], as recording would make it but with unused steps left in; and the numbers of its data.
    pub fn expression(&self, data: &[f64]) -> (Expression, Vec<f64>) {
        let mut numbers = data.to_vec();
        let mut reference = |source: &Source| match *source {
            Source::Parameter(block, component) => Ref::Parameter { block: block as u32, component: component as u32 },
            Source::Datum(k) => Ref::Datum(k as u32),
            Source::Step(k) => Ref::Node(k as u32),
            Source::Constant(number) => {
                numbers.push(number);
                Ref::Datum(numbers.len() as u32 - 1)
            }
        };
        let mut nodes = Vec::new();
        for step in &self.steps {
            let args: Vec<Ref> = step.args.iter().map(&mut reference).collect();
            let arg = |k: usize| *args.get(k).unwrap_or(&args[0]);
            nodes.push(ExpressionNode { op: step.op, args: [arg(0), arg(1), arg(2)] });
        }
        let outputs = self.outputs.iter().map(&mut reference).collect();
        let block_sizes = self.block_sizes.iter().map(|&size| size as u32).collect();
        (Expression { block_sizes, data: numbers.len() as u32, nodes, outputs }, numbers)
    }

    /// The steps that outputs need.
    pub fn needed(&self) -> Vec<bool> {
        let mut needed = vec![false; self.steps.len()];
        let mark = |source: &Source, needed: &mut Vec<bool>| {
            if let Source::Step(k) = *source {
                needed[k] = true;
            }
        };
        self.outputs.iter().for_each(|o| mark(o, &mut needed));
        for k in (0..self.steps.len()).rev() {
            if needed[k] {
                self.steps[k].args.iter().for_each(|a| mark(a, &mut needed));
            }
        }
        needed
    }

    /// Every source that outputs need, in order.
    pub fn used_sources(&self) -> Vec<Source> {
        let needed = self.needed();
        let steps = self.steps.iter().zip(&needed).filter(|&(_, &n)| n).flat_map(|(step, _)| &step.args);
        steps.chain(&self.outputs).copied().collect()
    }

    /// Leaves out blocks that no output depends on; where that leaves none, the first block becomes an output.
    pub fn without_unused_blocks(mut self) -> Recipe {
        let used = |recipe: &Recipe| {
            let sources = recipe.used_sources();
            let is_used = |block: usize| sources.iter().any(|s| matches!(s, Source::Parameter(b, _) if *b == block));
            (0..recipe.block_sizes.len()).map(is_used).collect::<Vec<bool>>()
        };
        if !used(&self).contains(&true) {
            self.outputs.push(Source::Parameter(0, 0));
        }
        let used = used(&self);
        let name = |block: usize| used[..block].iter().filter(|&&u| u).count();
        for source in self.steps.iter_mut().flat_map(|step| &mut step.args).chain(&mut self.outputs) {
            match *source {
                Source::Parameter(block, component) if used[block] => {
                    *source = Source::Parameter(name(block), component)
                }
                // Only steps that nothing needs read an unused block.
                Source::Parameter(..) => *source = Source::Parameter(0, 0),
                _ => {}
            }
        }
        let mut kept = used.iter();
        self.block_sizes.retain(|_| *kept.next().unwrap());
        self
    }
}

/// What a random recipe is made of.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    pub blocks: usize,
    pub largest_block: usize,
    pub data: usize,
    pub steps: usize,
    pub outputs: usize,
    /// Keep every operation inside its domain by steps in front of it.
    pub tame: bool,
    /// Leave out operations with kinks and jumps.
    pub smooth: bool,
}

/// Operations with arguments; `powi` with a few exponents.
pub fn operations() -> Vec<Op> {
    let mut all: Vec<Op> = Op::ALL.iter().copied().filter(|op| !op.is_leaf() && !matches!(op, Op::Powi(_))).collect();
    all.extend([-3, -1, 0, 1, 2, 3, 7].map(Op::Powi));
    all
}

fn is_smooth(op: Op) -> bool {
    use Op::*;
    !matches!(
        op,
        Abs | Sign
            | Floor
            | Ceil
            | Round
            | Trunc
            | Rem
            | Min
            | Max
            | Copysign
            | Eq
            | Ne
            | Lt
            | Le
            | Gt
            | Ge
            | Select
            | Clamp
    )
}

/// A choice among what is there when a step is made.
#[derive(Debug, Clone)]
struct Pick {
    kind: u8,
    index: Index,
    constant: f64,
}

fn pick() -> impl Strategy<Value = Pick> {
    let constant = prop_oneof![Just(1.0), Just(0.5), Just(-1.0), Just(2.0), 0.1..3.0, -3.0..-0.1];
    (any::<u8>(), any::<Index>(), constant).prop_map(|(kind, index, constant)| Pick { kind, index, constant })
}

/// Random recipes whose blocks are all used.
pub fn recipe(shape: Shape) -> impl Strategy<Value = Recipe> {
    let ops: Vec<Op> = operations().into_iter().filter(|&op| !shape.smooth || is_smooth(op)).collect();
    // Arithmetic is half of what people write.
    let arithmetic = prop::sample::select(vec![Op::Add, Op::Sub, Op::Mul, Op::Div]);
    let op = prop_oneof![arithmetic, prop::sample::select(ops)];
    (
        prop::collection::vec(1..=shape.largest_block, 1..=shape.blocks),
        0..=shape.data,
        prop::collection::vec((op, [pick(), pick(), pick()]), 1..=shape.steps),
        prop::collection::vec(pick(), 0..shape.outputs),
    )
        .prop_map(move |(block_sizes, data, steps, outputs)| {
            let mut making = Making { block_sizes, data, steps: Vec::new(), whole: Vec::new() };
            for (op, [a, b, c]) in &steps {
                let args = [making.active(a), making.any(b), making.any(c)];
                let args = if shape.tame { making.tamed(*op, args) } else { args };
                let step = making.push(*op, &args[..op.arity()]);
                making.whole.push(step);
            }
            let mut all = vec![*making.whole.last().expect("at least one step")];
            all.extend(outputs.iter().map(|p| making.active(p)));
            let Making { block_sizes, data, steps, .. } = making;
            Recipe { block_sizes, data, steps, outputs: all }.without_unused_blocks()
        })
}

struct Making {
    block_sizes: Vec<usize>,
    data: usize,
    steps: Vec<Step>,
    /// The steps that others may use.
    whole: Vec<Source>,
}

impl Making {
    fn push(&mut self, op: Op, args: &[Source]) -> Source {
        self.steps.push(Step { op, args: args.to_vec() });
        Source::Step(self.steps.len() - 1)
    }

    fn parameter(&self, pick: &Pick) -> Source {
        let all = self.block_sizes.iter().enumerate().flat_map(|(b, &size)| (0..size).map(move |c| (b, c)));
        let all: Vec<(usize, usize)> = all.collect();
        let &(block, component) = pick.index.get(&all);
        Source::Parameter(block, component)
    }

    /// Something that depends on a parameter.
    fn active(&self, pick: &Pick) -> Source {
        match pick.kind {
            0..96 => self.parameter(pick),
            // The last step, so that graphs grow deep.
            96..176 if !self.whole.is_empty() => self.whole[self.whole.len() - 1],
            _ if !self.whole.is_empty() => *pick.index.get(&self.whole),
            _ => self.parameter(pick),
        }
    }

    fn any(&self, pick: &Pick) -> Source {
        match pick.kind {
            200..224 if self.data > 0 => Source::Datum(pick.index.index(self.data)),
            224.. => Source::Constant(pick.constant),
            _ => self.active(pick),
        }
    }

    /// A step between `low` and `high` that depends smoothly on `source`.
    fn bounded(&mut self, source: Source, low: f64, high: f64) -> Source {
        let sine = self.push(Op::Sin, &[source]);
        let scaled = self.push(Op::Mul, &[sine, Source::Constant(0.5 * (high - low))]);
        self.push(Op::Add, &[Source::Constant(0.5 * (low + high)), scaled])
    }

    /// Arguments inside the domain of `op`, and small enough that nothing grows fast.
    fn tamed(&mut self, op: Op, [a, b, c]: [Source; 3]) -> [Source; 3] {
        // A constant argument alone would be folded away, out of the domain or not.
        let b = if let Source::Constant(_) = b { self.push(Op::Add, &[a, b]) } else { b };
        let first = match op {
            Op::Sqrt | Op::Ln | Op::Log2 | Op::Log10 | Op::Recip | Op::Powi(_) | Op::Cbrt => Some((0.5, 1.9)),
            Op::Powf => Some((0.4, 2.0)),
            Op::Ln1p => Some((-0.5, 2.0)),
            Op::Exp | Op::Exp2 | Op::ExpM1 | Op::Sinh | Op::Cosh => Some((-2.0, 2.0)),
            Op::Tan => Some((-1.0, 1.0)),
            Op::Asin | Op::Acos | Op::Atanh => Some((-0.9, 0.9)),
            Op::Acosh => Some((1.3, 3.0)),
            _ => None,
        };
        let second = match op {
            Op::Mul => Some((-1.5, 1.5)),
            Op::Div | Op::Rem | Op::Atan2 | Op::Hypot => Some((0.5, 2.0)),
            Op::Powf => Some((-2.0, 2.0)),
            Op::Copysign => Some((-1.0, 1.3)),
            Op::Clamp => Some((-1.0, 0.0)),
            _ => None,
        };
        let third = if op == Op::Clamp { Some((0.1, 1.0)) } else { None };
        let mut tame = |source, range: Option<(f64, f64)>| match range {
            Some((low, high)) => self.bounded(source, low, high),
            None => source,
        };
        [tame(a, first), tame(b, second), tame(c, third)]
    }
}

/// Whether two numbers agree relative to the larger of them and `scale`.
pub fn close(a: f64, b: f64, tolerance: f64, scale: f64) -> bool {
    (a.is_nan() && b.is_nan()) || a == b || (a - b).abs() <= tolerance * a.abs().max(b.abs()).max(scale)
}
