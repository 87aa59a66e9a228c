//! Bytecode for the CPU: each instruction works on a whole chunk of instances, so that dispatch costs next to nothing.

use super::schedule::{Step, schedule};
use crate::program::{Id, Node, Program};
use crate::value::op::Op;

/// Names a register: one number for each lane of a chunk.
pub(crate) type Register = u32;

/// An instruction over all lanes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Instruction {
    /// Gathers a component of a parameter block.
    Parameter { to: Register, block: u32, component: u32 },
    /// Copies a data column.
    Datum { to: Register, column: u32 },
    /// Applies an operation; `to` may be one of the arguments.
    Apply { op: Op, to: Register, args: [Register; 3] },
    /// Writes an output.
    Output { from: Register, output: u32 },
}

/// A program as instructions over registers.
#[derive(Debug)]
pub(crate) struct LaneCode {
    pub instructions: Vec<Instruction>,
    /// Contents of the first registers, which no instruction writes.
    pub literals: Vec<f64>,
    /// Number of registers, the literals' included.
    pub registers: usize,
    /// Number of outputs.
    pub outputs: usize,
}

impl LaneCode {
    pub fn new(program: &Program) -> Self {
        let steps = schedule(program);
        let last_use = last_uses(program, &steps);
        let mut allocation = Allocation::new(program);
        let mut instructions = Vec::with_capacity(steps.len());
        for (time, step) in steps.iter().enumerate() {
            match *step {
                Step::Output { node, output } => {
                    let from = allocation.register(node);
                    instructions.push(Instruction::Output { from, output: output as u32 });
                    allocation.release(&[node], &last_use, time);
                }
                Step::Compute(id) => match program.nodes[id as usize] {
                    Node::Literal(_) => {}
                    Node::Parameter { block, component } => {
                        let to = allocation.claim(id);
                        instructions.push(Instruction::Parameter { to, block, component });
                    }
                    Node::Datum(column) => {
                        let to = allocation.claim(id);
                        instructions.push(Instruction::Datum { to, column });
                    }
                    Node::Apply { op, args } => {
                        let sources = args.map(|a| allocation.register(a));
                        allocation.release(&args[..op.arity()], &last_use, time);
                        let to = allocation.claim(id);
                        instructions.push(Instruction::Apply { op, to, args: sources });
                    }
                },
            }
        }
        LaneCode {
            instructions,
            literals: allocation.literals,
            registers: allocation.count as usize,
            outputs: program.outputs.len(),
        }
    }
}

/// The last step that reads each node.
fn last_uses(program: &Program, steps: &[Step]) -> Vec<usize> {
    let mut last = vec![0; program.nodes.len()];
    for (time, step) in steps.iter().enumerate() {
        match *step {
            Step::Output { node, .. } => last[node as usize] = time,
            Step::Compute(id) => {
                program.nodes[id as usize].arguments().iter().for_each(|&a| last[a as usize] = time);
            }
        }
    }
    last
}

/// Registers of the live nodes.
struct Allocation {
    registers: Vec<Option<Register>>,
    literals: Vec<f64>,
    free: Vec<Register>,
    count: Register,
}

impl Allocation {
    /// Literals get the first registers, for good.
    fn new(program: &Program) -> Self {
        let mut registers = vec![None; program.nodes.len()];
        let mut literals = Vec::new();
        for (register, node) in registers.iter_mut().zip(&program.nodes) {
            if let Node::Literal(number) = node {
                *register = Some(literals.len() as Register);
                literals.push(*number);
            }
        }
        let count = literals.len() as Register;
        Allocation { registers, literals, free: Vec::new(), count }
    }

    fn register(&self, id: Id) -> Register {
        self.registers[id as usize].expect("arguments are computed before their users")
    }

    fn claim(&mut self, id: Id) -> Register {
        let register = self.free.pop().unwrap_or_else(|| {
            self.count += 1;
            self.count - 1
        });
        self.registers[id as usize] = Some(register);
        register
    }

    /// Frees the registers of those `nodes` that nobody reads after `time`.
    fn release(&mut self, nodes: &[Id], last_use: &[usize], time: usize) {
        for (k, &id) in nodes.iter().enumerate() {
            let register = self.register(id);
            let literal = (register as usize) < self.literals.len();
            if last_use[id as usize] == time && !literal && !nodes[..k].contains(&id) {
                self.free.push(register);
            }
        }
    }
}
