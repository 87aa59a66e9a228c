//! An order of evaluation with few live values.

use crate::program::{Id, Program};

/// Outputs that are written together: a line of the cache.
pub(super) const WRITTEN_TOGETHER: usize = 8;

/// A step of a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Evaluate a node.
    Compute(Id),
    /// Hand out outputs, whose nodes are evaluated.
    Write { first: u32, count: u32 },
}

/// Walks depth first from the outputs, each argument that needs more registers first (Sethi and Ullman 1970), and hands out some
/// outputs together as soon as they are known, those between any two `boundaries` apart from the others.
pub(super) fn schedule(program: &Program, boundaries: &[usize]) -> Vec<Step> {
    let need = register_need(program);
    let mut steps = Vec::with_capacity(program.nodes.len() + program.outputs.len());
    let mut done = vec![false; program.nodes.len()];
    let mut stack: Vec<(Id, bool)> = Vec::new();
    let starts = [0].iter().chain(boundaries);
    for (&start, &end) in starts.zip(boundaries.iter().chain(&[program.outputs.len()])) {
        let range = start..end;
        for first in range.clone().step_by(WRITTEN_TOGETHER) {
            let together = first..range.end.min(first + WRITTEN_TOGETHER);
            for &root in &program.outputs[together.clone()] {
                stack.push((root, false));
                while let Some((id, ready)) = stack.pop() {
                    if done[id as usize] {
                        continue;
                    }
                    if ready {
                        done[id as usize] = true;
                        steps.push(Step::Compute(id));
                        continue;
                    }
                    stack.push((id, true));
                    let first = stack.len();
                    let arguments = program.nodes[id as usize].arguments();
                    for &argument in arguments.iter().filter(|&&argument| !done[argument as usize]) {
                        // The stack turns the order round: the least demanding argument lies lowest, of equals the first.
                        let mut place = stack.len();
                        stack.push((argument, false));
                        while place > first && need[stack[place - 1].0 as usize] > need[argument as usize] {
                            stack.swap(place - 1, place);
                            place -= 1;
                        }
                    }
                }
            }
            steps.push(Step::Write { first: first as u32, count: together.len() as u32 });
        }
    }
    steps
}

/// Registers needed to evaluate each node as if the program were a tree.
fn register_need(program: &Program) -> Vec<u32> {
    let mut need: Vec<u32> = Vec::with_capacity(program.nodes.len());
    for node in &program.nodes {
        let mut arguments = [0; 3];
        let arguments = &mut arguments[..node.arguments().len()];
        arguments.iter_mut().zip(node.arguments()).for_each(|(n, &a)| *n = need[a as usize]);
        arguments.sort_unstable();
        let most = arguments.iter().rev().zip(0..).map(|(&n, held)| n + held).max();
        need.push(most.unwrap_or(1));
    }
    need
}
