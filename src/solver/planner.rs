//! Plans how JᵀJ and Jᵀr are made: which blocks there are, how they are stored, and which task adds what.

use super::accumulation::Task;
use super::contribution::Contribution;
use super::draft::{Draft, Source};
use super::reduction::Reduction;
use super::touches::Touches;
use crate::backend::{Group, pieces};
use crate::linear::{BlockMatrix, BlockStructure, LinearError};
use std::ops::Range;
use std::sync::Arc;

/// Most block columns a task owns: their numbers fit the second-level cache.
const TASK: usize = 1024;
/// A task that has so many slots of instances to sum over gets no more columns: a camera may be in thousands of residuals.
pub(super) const TASK_SLOTS: usize = 1 << 15;

/// JᵀJ with what is constant in it, and the tasks that add the rest. Each task is drafted by itself, so that threads share the work and
/// the plan does not depend on them.
pub(super) fn plan(
    groups: &[Group],
    contributions: &[Contribution],
    reduction: &Reduction,
) -> Result<(BlockMatrix, Vec<Task>), LinearError> {
    // Each block is summed by itself before there is a matrix, and none may be too large for that.
    let largest = reduction.sizes.iter().max().map_or(0, |size| size.saturating_mul(*size));
    if u32::try_from(largest).is_err() {
        return Err(LinearError::TooLarge { entries: largest });
    }
    let drafts = {
        let touches = Touches::new(groups, reduction)?;
        let columns = deal(&touches, reduction.sizes.len());
        let source = Source { groups, contributions, reduction, touches: &touches };
        pieces::map(columns.len(), 1, |task| Draft::new(&source, columns[task].clone()))
    };
    sew(drafts, &reduction.sizes)
}

/// The columns of each task.
fn deal(touches: &Touches, columns: usize) -> Vec<Range<usize>> {
    let mut tasks: Vec<Range<usize>> = Vec::new();
    let mut work = TASK_SLOTS;
    for column in 0..columns {
        match tasks.last_mut() {
            Some(task) if task.len() < TASK && work < TASK_SLOTS => task.end += 1,
            _ => {
                tasks.push(column..column + 1);
                work = 0;
            }
        }
        work += touches.count(column);
    }
    tasks
}

/// Puts the parts together.
fn sew(drafts: Vec<Draft>, sizes: &[usize]) -> Result<(BlockMatrix, Vec<Task>), LinearError> {
    let blocks = drafts.iter().map(|draft| draft.rows.len()).sum();
    if u32::try_from(blocks).is_err() {
        return Err(LinearError::TooLarge { entries: blocks });
    }
    let (mut col_ptr, mut row_idx, mut storage) =
        (Vec::with_capacity(sizes.len() + 1), Vec::with_capacity(blocks), Vec::with_capacity(blocks));
    col_ptr.push(0u32);
    let (mut tasks, mut constants, mut ahead) = (Vec::with_capacity(drafts.len()), Vec::new(), 0);
    let (mut multiples, mut multiple_of) = (Vec::new(), Vec::new());
    for Draft { mut task, ends, rows, storage: stored, full, multiples: mine } in drafts {
        col_ptr.extend(ends.into_iter().map(|end| row_idx.len() as u32 + end));
        row_idx.extend(rows);
        storage.extend(stored);
        task.numbers = ahead..ahead + task.numbers.len();
        ahead = task.numbers.end;
        tasks.push(task);
        constants.push(full);
        let first = multiples.len() as u32;
        multiple_of.extend(mine.of.into_iter().map(|index| first + index));
        multiples.extend(mine.numbers);
    }
    let structure = BlockStructure::from_columns(sizes, col_ptr, row_idx, |position| storage[position], &multiple_of)?;
    // The numbers take most memory: what is not needed beside them goes first.
    drop((storage, multiple_of));
    let mut matrix = BlockMatrix::zeros(Arc::new(structure));
    let mut rest = &mut matrix.values[ahead..];
    for numbers in constants.iter().chain([&multiples]) {
        let (mine, others) = rest.split_at_mut(numbers.len());
        mine.copy_from_slice(numbers);
        rest = others;
    }
    Ok((matrix, tasks))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::{BlockId, Problem};
    use crate::solver::NormalEquations;
    use crate::solver::tests::compare;

    /// Blocks of three on a line, with distances of neighbours, and second differences that couple every other by constants alone.
    fn line(count: usize) -> (Problem, Vec<BlockId>) {
        let mut problem = Problem::new();
        let start = |k: usize| [k as f64, (k * 7919 % 1009) as f64 / 1009.0, 0.3];
        let blocks: Vec<BlockId> = (0..count).map(|k| problem.add_parameter_block(&start(k)).unwrap()).collect();
        for pair in blocks.windows(2) {
            problem.add_residual(pair, |x| (x.vector::<3>(0) - x.vector::<3>(1)).norm() - 1.0).unwrap();
        }
        for three in blocks.windows(3) {
            let half = crate::Value::constant(0.5);
            problem.add_residual(three, |x| x.vector::<3>(1) - (x.vector::<3>(0) + x.vector::<3>(2)) * half).unwrap();
        }
        (problem, blocks)
    }

    fn equations(problem: &Problem) -> NormalEquations {
        NormalEquations::new(&problem.compile().unwrap(), problem.parameters()).unwrap()
    }

    #[test]
    fn equal_multiples_of_the_identity_take_one_number_unless_a_component_is_held() {
        let (mut problem, blocks) = line(40);
        let numbers = |problem: &Problem| equations(problem).matrix.values.len();
        assert_eq!(numbers(&problem), 9 * (40 + 39) + 1);
        compare(&problem, &[]);
        problem.fix_component(blocks[10], 1).unwrap();
        assert_eq!(numbers(&problem), 9 * (40 + 39) + 1 + 2 * 9);
        compare(&problem, &[31]);
        problem.fix(blocks[20]).unwrap();
        assert_eq!(numbers(&problem), 9 * (39 + 37) + 1 + 2 * 9);
        compare(&problem, &[31]);
    }

    #[test]
    fn a_block_that_is_too_large_is_an_error() {
        let mut problem = Problem::new();
        let block = problem.add_parameter_block(&vec![0.5; 1 << 16]).unwrap();
        problem.add_residual(&[block], |x| x[0][0] * x[0][1] - 1.0).unwrap();
        let error = NormalEquations::new(&problem.compile().unwrap(), problem.parameters()).err();
        assert_eq!(error, Some(LinearError::TooLarge { entries: 1 << 32 }));
    }

    #[test]
    fn the_plan_does_not_depend_on_the_number_of_threads() {
        let (problem, _) = line(3000);
        let compiled = problem.compile().unwrap();
        let mut evaluation = compiled.new_evaluation();
        compiled.linearize(problem.parameters().values(), &mut evaluation).unwrap();
        let on = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let mut equations = pool.install(|| equations(&problem));
            equations.refill(&compiled, &evaluation);
            let bits = |numbers: &[f64]| numbers.iter().map(|number| number.to_bits()).collect::<Vec<_>>();
            let structure = equations.matrix.structure();
            let pattern = (structure.col_ptr().to_vec(), structure.row_idx().to_vec());
            (pattern, bits(&equations.matrix.values), bits(&equations.gradient))
        };
        assert_eq!(on(1), on(3));
    }
}
