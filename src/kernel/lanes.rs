//! Bytecode for the CPU: each instruction works on a whole chunk of instances, so that dispatch costs next to nothing.

use super::fusion::{Fusion, Pair};
use super::kept::Kept;
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
    /// Gathers three components that lie side by side.
    ThreeParameters { to: [Register; 3], block: u32, component: u32 },
    /// Copies a data column.
    Datum { to: Register, column: u32 },
    /// Applies an operation; `to` may be one of the arguments.
    Apply { op: Op, to: Register, args: [Register; 3] },
    /// Applies two operations; `to` may be one of the arguments.
    Pair { pair: Pair, to: Register, args: [Register; 3] },
    /// Writes `count` outputs from `first` on.
    Write { first: u32, count: u32 },
}

/// A program as instructions over registers.
#[derive(Debug)]
pub(crate) struct LaneCode {
    pub instructions: Vec<Instruction>,
    /// The first instructions depend on this parameter block alone: what they leave in their registers stays right as long as the
    /// instances share the block.
    pub kept: Option<(u32, usize)>,
    /// Contents of the first registers, which no instruction writes.
    pub literals: Vec<f64>,
    /// Number of registers, the literals' included.
    pub registers: usize,
    /// The register of each output when it is written.
    pub outputs: Vec<Register>,
}

impl LaneCode {
    /// Code whose outputs all go to one array.
    pub fn new(program: &Program) -> Self {
        Self::with_boundaries(program, &[])
    }

    /// Code whose outputs from each boundary on go to another array than those before.
    pub fn with_boundaries(program: &Program, boundaries: &[usize]) -> Self {
        let kept = Kept::new(program);
        let fusion = Fusion::new(program, &kept.nodes);
        let is_kept = |step: &Step| matches!(*step, Step::Compute(id) if kept.nodes[id as usize]);
        let scheduled = schedule(program, boundaries);
        let stands = |step: &Step| !matches!(*step, Step::Compute(id) if fusion.absorbed[id as usize]);
        let standing = || scheduled.iter().copied().filter(stands);
        let mut steps = Vec::with_capacity(scheduled.len());
        steps.extend(standing().filter(is_kept));
        let first_of_each = steps.len();
        steps.extend(standing().filter(|step| !is_kept(step)));
        let last_use = last_uses(program, &fusion, &steps, first_of_each);

        let parameters = Parameters::new(program);
        let mut allocation = Allocation::new(program);
        let mut instructions = Vec::with_capacity(steps.len());
        let mut outputs = vec![0; program.outputs.len()];
        let mut kept_instructions = 0;
        for (time, step) in steps.iter().enumerate() {
            match *step {
                Step::Write { first, count } => {
                    let range = first as usize..(first + count) as usize;
                    let nodes = &program.outputs[range.clone()];
                    for (register, &node) in outputs[range.clone()].iter_mut().zip(nodes) {
                        *register = allocation.register(node);
                    }
                    instructions.push(Instruction::Write { first, count });
                    allocation.release(nodes, &last_use, time);
                }
                Step::Compute(id) => match program.nodes[id as usize] {
                    Node::Literal(_) => {}
                    // Came with its neighbours.
                    Node::Parameter { .. } if allocation.is_claimed(id) => {}
                    Node::Parameter { block, component } => match parameters.three(block, component) {
                        Some((ids, component)) => {
                            let to = ids.map(|id| allocation.claim(id));
                            instructions.push(Instruction::ThreeParameters { to, block, component });
                        }
                        None => {
                            let to = allocation.claim(id);
                            instructions.push(Instruction::Parameter { to, block, component });
                        }
                    },
                    Node::Datum(column) => {
                        let to = allocation.claim(id);
                        instructions.push(Instruction::Datum { to, column });
                    }
                    Node::Apply { op, args } => {
                        let pair = fusion.pairs[id as usize];
                        let args = pair.map_or(args, |(_, sources)| sources).map(|a| allocation.register(a));
                        allocation.release(fusion.sources(program, id), &last_use, time);
                        let to = allocation.claim(id);
                        instructions.push(match pair {
                            Some((pair, _)) => Instruction::Pair { pair, to, args },
                            None => Instruction::Apply { op, to, args },
                        });
                    }
                },
            }
            if time < first_of_each {
                kept_instructions = instructions.len();
            }
        }
        LaneCode {
            instructions,
            kept: kept.block.map(|block| (block, kept_instructions)),
            literals: allocation.literals,
            registers: allocation.count as usize,
            outputs,
        }
    }
}

/// (block, component, node) of the parameters that a program reads, in order.
struct Parameters(Vec<(u32, u32, Id)>);

impl Parameters {
    fn new(program: &Program) -> Self {
        let parameter = |(id, node): (Id, &Node)| match *node {
            Node::Parameter { block, component } => Some((block, component, id)),
            _ => None,
        };
        let mut parameters: Vec<_> = (0..).zip(&program.nodes).filter_map(parameter).collect();
        parameters.sort_unstable();
        Parameters(parameters)
    }

    /// The nodes of the triple that a component belongs to, and its first component, if the program reads all three.
    fn three(&self, block: u32, component: u32) -> Option<([Id; 3], u32)> {
        let first = component - component % 3;
        let start = self.0.partition_point(|&(b, c, _)| (b, c) < (block, first));
        let &[(b, c, p), (_, _, q), (last, d, r)] = self.0.get(start..start + 3)?.first_chunk()?;
        ((b, c, last, d) == (block, first, block, first + 2)).then_some(([p, q, r], first))
    }
}

/// The last step that reads each node; past the end for those that steps from `first_of_each` on read and earlier ones computed.
fn last_uses(program: &Program, fusion: &Fusion, steps: &[Step], first_of_each: usize) -> Vec<usize> {
    let mut last = vec![0; program.nodes.len()];
    let mut computed = vec![usize::MAX; program.nodes.len()];
    for (time, step) in steps.iter().enumerate() {
        let sources = match *step {
            Step::Write { first, count } => &program.outputs[first as usize..][..count as usize],
            Step::Compute(id) => {
                computed[id as usize] = time;
                fusion.sources(program, id)
            }
        };
        for &source in sources {
            let stays = time >= first_of_each && computed[source as usize] < first_of_each;
            last[source as usize] = if stays { steps.len() } else { time };
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

    fn is_claimed(&self, id: Id) -> bool {
        self.registers[id as usize].is_some()
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
            if last_use[id as usize] != time || nodes[..k].contains(&id) {
                continue;
            }
            let register = self.register(id);
            if register as usize >= self.literals.len() {
                self.free.push(register);
            }
        }
    }
}
