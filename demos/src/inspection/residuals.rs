//! Small residuals to look at, each with a few instances.

use isograd::{BlockId, Problem, ProblemError, Table, Value};

/// The parameter blocks and the data of an instance, and what is made of them.
type Function = fn(&[Vec<Value>], &[Value]) -> Vec<Value>;

/// A residual with instances that differ in all their numbers.
pub struct Example {
    /// Its name on the command line.
    pub name: &'static str,
    /// The formula.
    pub formula: &'static str,
    /// Components of each parameter block.
    blocks: &'static [usize],
    /// Data of an instance.
    data: usize,
    function: Function,
}

/// All examples.
pub const ALL: [Example; 5] = [
    Example {
        name: "edge-length",
        formula: "|xi − xj| − target, in three dimensions",
        blocks: &[3, 3],
        data: 1,
        function: |x, data| vec![distance(&x[0], &x[1]) - data[0]],
    },
    Example {
        name: "laplacian",
        formula: "x0 − mean of x1 … x6, in three dimensions",
        blocks: &[3; 7],
        data: 0,
        function: |x, _| {
            let mean = |axis: usize| x[1..].iter().map(|neighbour| neighbour[axis]).sum::<Value>() / 6.0;
            (0..3).map(|axis| x[0][axis] - mean(axis)).collect()
        },
    },
    Example {
        name: "distance-2d",
        formula: "|xi − xj| − target, in two dimensions",
        blocks: &[2, 2],
        data: 1,
        function: |x, data| vec![distance(&x[0], &x[1]) - data[0]],
    },
    Example {
        name: "rosenbrock",
        formula: "10 (y − x²), 1 − x",
        blocks: &[2],
        data: 0,
        function: |x, _| vec![10.0 * (x[0][1] - x[0][0].square()), 1.0 - x[0][0]],
    },
    Example {
        name: "curve",
        formula: "a exp(b t) − y, with data t and y",
        blocks: &[2],
        data: 2,
        function: |x, data| vec![x[0][0] * (x[0][1] * data[0]).exp() - data[1]],
    },
];

/// Instances of the example's problem; with more than one, data that differ stay data.
const INSTANCES: usize = 3;

fn distance(a: &[Value], b: &[Value]) -> Value {
    a.iter().zip(b).map(|(&a, &b)| (a - b).square()).sum::<Value>().sqrt()
}

/// Numbers without a pattern, in 0.5 .. 1.5.
fn number(k: usize) -> f64 {
    0.5 + (0.618_033_988_749_895 * (k + 1) as f64).fract()
}

impl Example {
    /// The example of this name.
    pub fn named(name: &str) -> Option<&'static Example> {
        const { &ALL }.iter().find(|example| example.name == name)
    }

    /// The problem of a few instances.
    ///
    /// # Errors
    /// None that is known.
    pub fn problem(&self) -> Result<Problem, ProblemError> {
        let mut problem = Problem::new();
        let mut blocks: Vec<BlockId> = Vec::new();
        for k in 0..INSTANCES * self.blocks.len() {
            let size = self.blocks[k % self.blocks.len()];
            let values: Vec<f64> = (0..size).map(|component| number(5 * k + component)).collect();
            blocks.push(problem.add_parameter_block(&values)?);
        }
        let data: Vec<f64> = (0..INSTANCES * self.data).map(|k| number(1000 + k)).collect();
        let rows = Table { width: self.blocks.len(), entries: &blocks };
        let function = |x: isograd::Blocks<'_>, data: &[Value]| {
            let x: Vec<Vec<Value>> = x.iter().map(<[Value]>::to_vec).collect();
            (self.function)(&x, data)
        };
        let added = match self.data {
            0 => problem.add_residual_batch(&rows, &(), function)?,
            width => problem.add_residual_batch(&rows, &Table { width, entries: &data }, function)?,
        };
        problem.set_name(added, self.name);
        Ok(problem)
    }

    /// The recorded operations of one instance with their numbers, as Graphviz DOT; of several residuals, ½ Σ r².
    ///
    /// # Errors
    /// If the graph was cleared meanwhile, which does not happen here.
    pub fn to_dot(&self) -> Result<String, isograd::ValueError> {
        Value::scope(|| {
            let leaf = |k: usize, component: usize| Value::variable(number(5 * k + component));
            let block = |(k, &size): (usize, &usize)| (0..size).map(|component| leaf(k, component)).collect();
            let x: Vec<Vec<Value>> = self.blocks.iter().enumerate().map(block).collect();
            let data: Vec<Value> = (0..self.data).map(|k| Value::constant(number(1000 + k))).collect();
            match (self.function)(&x, &data).as_slice() {
                [residual] => residual.to_dot(),
                residuals => (0.5 * residuals.iter().map(|r| r.square()).sum::<Value>()).to_dot(),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_compiles_to_one_group() {
        for example in &ALL {
            let compiled = example.problem().unwrap().compile().unwrap();
            assert_eq!(compiled.groups.len(), 1, "{}", example.name);
            assert_eq!(compiled.groups[0].table.count, INSTANCES);
            assert!(example.to_dot().unwrap().starts_with("digraph"), "{}", example.name);
        }
    }
}
