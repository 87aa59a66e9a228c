//! The canonical form of an expression: equal for two residuals exactly when they have the same shape.
//!
//! Two expressions have the same shape when one becomes the other by renaming leaves (whole parameter blocks, and data) and
//! swapping arguments of commutative operations. The form is found in three steps:
//!
//! 1. equal nodes are merged (hash-consing);
//! 2. colours are refined as in the Weisfeiler-Leman test: a sweep up colours a node by its arguments, a sweep down by its users,
//!    until no more colours split. Leaves that still share a colour are, but for contrived graphs, exchangeable: one of them is
//!    singled out and refinement goes on;
//! 3. nodes are numbered depth first from the outputs, commutative arguments in the order of their colours, blocks and data in
//!    the order of first visit.
//!
//! Step 2 decides only which of several equivalent forms is taken. Should it fail to find the same one for two residuals, they
//! land in two groups and stay correct.

use super::expression::{Expression, ExpressionNode, Ref, pad};
use super::interner::{Interner, hash_words};

/// A canonical expression, and where its leaves were in the recorded one.
pub(crate) struct Canonical {
    pub expression: Expression,
    /// Recorded block behind each canonical block.
    pub blocks: Vec<u32>,
    /// Recorded datum behind each canonical one.
    pub data: Vec<u32>,
}

pub(crate) fn canonicalize(recorded: &Expression) -> Canonical {
    let merged = merge_equal_nodes(recorded);
    let colours = Refinement::new(&merged).run();
    Numbering::new(&merged, &colours).run()
}

fn merge_equal_nodes(recorded: &Expression) -> Expression {
    let mut known = Interner::with_room(recorded.nodes.len());
    let mut names: Vec<u32> = Vec::with_capacity(recorded.nodes.len());
    let mut nodes: Vec<ExpressionNode> = Vec::with_capacity(recorded.nodes.len());
    let rename = |r: &Ref, names: &[u32]| match *r {
        Ref::Node(k) => Ref::Node(names[k as usize]),
        leaf => leaf,
    };
    for node in &recorded.nodes {
        let node = ExpressionNode { op: node.op, args: node.args.map(|a| rename(&a, &names)) };
        let sorted = sorted(node);
        let hashed = hash(&sorted);
        let name = known.find(hashed, |k| self::sorted(nodes[k as usize]) == sorted).unwrap_or_else(|| {
            // The order of the arguments as written decides later where colours tie; only the key is sorted.
            nodes.push(node);
            let name = nodes.len() as u32 - 1;
            known.insert(hashed, name, |k| hash(&self::sorted(nodes[k as usize])));
            name
        });
        names.push(name);
    }
    Expression {
        block_sizes: recorded.block_sizes.clone(),
        data: recorded.data,
        nodes,
        outputs: recorded.outputs.iter().map(|o| rename(o, &names)).collect(),
    }
}

/// The node with the arguments of a commutative operation in order.
fn sorted(node: ExpressionNode) -> ExpressionNode {
    let mut args = node.args;
    if node.op.is_commutative() && args[1] < args[0] {
        args.swap(0, 1);
    }
    pad(&mut args, node.op.arity());
    ExpressionNode { op: node.op, args }
}

fn hash(node: &ExpressionNode) -> u64 {
    let word = |a: u32, b: u32| u64::from(a) << 32 | u64::from(b);
    let [p, q, r] = node.args.map(|argument| match argument {
        Ref::Node(k) => word(0, k),
        Ref::Parameter { block, component } => word(block.wrapping_add(2), component),
        Ref::Datum(k) => word(1, k),
    });
    let [code, exponent] = node.op.code();
    hash_words([word(code, exponent), p, q, r])
}

/// Mixes two 64-bit words well enough that sums of results tell multisets apart (the finaliser of SplitMix64).
fn mix(a: u64, b: u64) -> u64 {
    let mut z = a.wrapping_add(b.wrapping_mul(0x9E37_79B9_7F4A_7C15)).wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Colours of the nodes, the parameters that occur, the data and the blocks, in this order in one array.
struct Refinement<'a> {
    expression: &'a Expression,
    parameters: Parameters,
    /// Each node as the sweeps read it.
    links: Vec<Links>,
    first_datum: usize,
    first_block: usize,
    colours: Vec<u64>,
    context: Vec<u64>,
}

/// What the colour of a node depends on.
struct Links {
    /// The operation and its constants.
    operation: u64,
    commutative: bool,
    arity: u8,
    /// The entities that are its arguments.
    arguments: [u32; 3],
}

impl Links {
    fn arguments(&self) -> &[u32] {
        &self.arguments[..usize::from(self.arity)]
    }
}

/// The parameters that occur, and their places among the entities.
struct Parameters {
    /// Where the components of each block begin among those of all.
    starts: Vec<usize>,
    /// The entity of each component, if it occurs.
    entities: Vec<u32>,
    /// (block, component, entity) in the order of occurrence.
    occurring: Vec<(u32, u32, usize)>,
}

const NOWHERE: u32 = u32::MAX;

impl Parameters {
    /// Numbers them from `first` on.
    fn new(expression: &Expression, first: usize) -> Self {
        let mut components = 0;
        let mut starts = Vec::with_capacity(expression.block_sizes.len());
        for &size in &expression.block_sizes {
            starts.push(components);
            components += size as usize;
        }
        let mut parameters = Parameters { starts, entities: vec![NOWHERE; components], occurring: Vec::new() };
        let references = expression.nodes.iter().flat_map(|n| n.arguments()).chain(&expression.outputs);
        for reference in references {
            if let Ref::Parameter { block, component } = *reference {
                let entity = first + parameters.occurring.len();
                let place = &mut parameters.entities[parameters.starts[block as usize] + component as usize];
                if *place == NOWHERE {
                    *place = entity as u32;
                    parameters.occurring.push((block, component, entity));
                }
            }
        }
        parameters
    }

    fn entity(&self, block: u32, component: u32) -> usize {
        self.entities[self.starts[block as usize] + component as usize] as usize
    }
}

/// Sweeps and singled-out leaves stop at about this many node visits; what is left to tie keeps its recorded order.
const VISIT_BUDGET: usize = 4_000_000;

impl<'a> Refinement<'a> {
    fn new(expression: &'a Expression) -> Self {
        let parameters = Parameters::new(expression, expression.nodes.len());
        let first_datum = expression.nodes.len() + parameters.occurring.len();
        let first_block = first_datum + expression.data as usize;
        let count = first_block + expression.block_sizes.len();
        let mut colours = vec![0; count];
        for &(_, component, entity) in &parameters.occurring {
            colours[entity] = mix(1, u64::from(component));
        }
        colours[first_datum..first_block].fill(2);
        for (colour, &size) in colours[first_block..].iter_mut().zip(&expression.block_sizes) {
            *colour = mix(3, u64::from(size));
        }
        let mut refinement = Refinement {
            expression,
            parameters,
            links: Vec::new(),
            first_datum,
            first_block,
            colours,
            context: vec![0; count],
        };
        refinement.links = expression.nodes.iter().map(|node| refinement.links(node)).collect();
        refinement
    }

    fn links(&self, node: &ExpressionNode) -> Links {
        let [code, exponent] = node.op.code();
        Links {
            operation: mix(u64::from(code), u64::from(exponent)),
            commutative: node.op.is_commutative(),
            arity: node.op.arity() as u8,
            arguments: node.args.map(|argument| self.entity(argument) as u32),
        }
    }

    fn entity(&self, reference: Ref) -> usize {
        match reference {
            Ref::Node(k) => k as usize,
            Ref::Parameter { block, component } => self.parameters.entity(block, component),
            Ref::Datum(k) => self.first_datum + k as usize,
        }
    }

    /// Refines until every leaf that occurs has a colour of its own, or the budget is spent.
    fn run(mut self) -> Colours {
        let cost = self.expression.nodes.len().max(1);
        let mut visits = 0;
        let mut classes = 0;
        loop {
            self.sweep_up();
            self.sweep_down();
            visits += cost;
            let count = self.count_classes();
            if visits >= VISIT_BUDGET {
                break;
            }
            if count <= classes {
                let Some(entity) = self.tied_leaf() else { break };
                self.colours[entity] = mix(self.colours[entity], 7);
            }
            classes = count;
        }
        Colours { parameters: self.parameters, first_datum: self.first_datum, colours: self.colours }
    }

    fn sweep_up(&mut self) {
        for (k, links) in self.links.iter().enumerate() {
            let mut colour = mix(self.colours[k], links.operation);
            let mut arguments = links.arguments.map(|entity| self.colours[entity as usize]);
            if links.commutative && arguments[0] > arguments[1] {
                arguments.swap(0, 1);
            }
            for argument in &arguments[..usize::from(links.arity)] {
                colour = mix(colour, *argument);
            }
            self.colours[k] = colour;
        }
    }

    fn sweep_down(&mut self) {
        self.context.fill(0);
        for (k, &output) in self.expression.outputs.iter().enumerate() {
            let entity = self.entity(output);
            self.context[entity] = self.context[entity].wrapping_add(mix(11, k as u64));
        }
        for (k, links) in self.links.iter().enumerate().rev() {
            self.colours[k] = mix(self.colours[k], self.context[k]);
            for (position, &entity) in (0..).zip(links.arguments()) {
                let position = if links.commutative { 0 } else { position };
                let context = &mut self.context[entity as usize];
                *context = context.wrapping_add(mix(self.colours[k], position));
            }
        }
        for entity in self.expression.nodes.len()..self.first_block {
            self.colours[entity] = mix(self.colours[entity], self.context[entity]);
        }
        // The components of a block move together: the block takes the colours of its components and hands them its own.
        for &(block, component, entity) in &self.parameters.occurring {
            let block = self.first_block + block as usize;
            self.context[block] = self.context[block].wrapping_add(mix(self.colours[entity], u64::from(component)));
        }
        for block in self.first_block..self.colours.len() {
            self.colours[block] = mix(self.colours[block], self.context[block]);
        }
        for &(block, _, entity) in &self.parameters.occurring {
            self.colours[entity] = mix(self.colours[entity], self.colours[self.first_block + block as usize]);
        }
    }

    /// Number of distinct colours.
    fn count_classes(&self) -> usize {
        let mut first = Interner::with_room(self.colours.len());
        let mut classes = 0;
        for (k, &colour) in (0..).zip(&self.colours) {
            // They are as good as hashes.
            if first.find(colour, |other| self.colours[other as usize] == colour).is_none() {
                first.insert(colour, k, |other| self.colours[other as usize]);
                classes += 1;
            }
        }
        classes
    }

    /// The first leaf of the tied class with the smallest colour.
    fn tied_leaf(&self) -> Option<usize> {
        let leaves = self.expression.nodes.len()..self.colours.len();
        let mut sorted: Vec<(u64, usize)> = leaves.map(|entity| (self.colours[entity], entity)).collect();
        sorted.sort_unstable();
        let mut classes = sorted.chunk_by(|a, b| a.0 == b.0).filter(|class| class.len() > 1);
        // Not one that does not occur.
        classes.find(|class| self.context[class[0].1] != 0).map(|class| class[0].1)
    }
}

struct Colours {
    parameters: Parameters,
    first_datum: usize,
    colours: Vec<u64>,
}

impl Colours {
    fn of(&self, reference: Ref) -> u64 {
        match reference {
            Ref::Node(k) => self.colours[k as usize],
            Ref::Parameter { block, component } => self.colours[self.parameters.entity(block, component)],
            Ref::Datum(k) => self.colours[self.first_datum + k as usize],
        }
    }
}

/// Numbers nodes and leaves in the order of a depth-first walk.
struct Numbering<'a> {
    merged: &'a Expression,
    colours: &'a Colours,
    names: Vec<Option<u32>>,
    block_names: Vec<Option<u32>>,
    data_names: Vec<Option<u32>>,
    result: Canonical,
}

impl<'a> Numbering<'a> {
    fn new(merged: &'a Expression, colours: &'a Colours) -> Self {
        Numbering {
            merged,
            colours,
            names: vec![None; merged.nodes.len()],
            block_names: vec![None; merged.block_sizes.len()],
            data_names: vec![None; merged.data as usize],
            result: Canonical {
                expression: Expression { nodes: Vec::with_capacity(merged.nodes.len()), ..Expression::default() },
                blocks: Vec::new(),
                data: Vec::new(),
            },
        }
    }

    fn run(mut self) -> Canonical {
        for &output in &self.merged.outputs {
            if let Ref::Node(root) = output {
                self.visit(root);
            }
            let output = self.name(output);
            self.result.expression.outputs.push(output);
        }
        self.result.expression.data = self.result.data.len() as u32;
        self.result
    }

    /// Numbers everything below `root`, arguments first, on a stack of its own.
    fn visit(&mut self, root: u32) {
        let mut stack = vec![(root, 0)];
        while let Some((k, next)) = stack.pop() {
            if self.names[k as usize].is_some() {
                continue;
            }
            let (node, arguments) = self.ordered(k);
            let arity = node.op.arity();
            if let Some(&argument) = arguments[..arity].get(next) {
                stack.push((k, next + 1));
                match argument {
                    Ref::Node(child) => stack.push((child, 0)),
                    leaf => {
                        self.name(leaf);
                    }
                }
            } else {
                let mut args = arguments;
                args[..arity].iter_mut().for_each(|argument| *argument = self.name(*argument));
                pad(&mut args, arity);
                self.names[k as usize] = Some(self.result.expression.nodes.len() as u32);
                self.result.expression.nodes.push(ExpressionNode { op: node.op, args });
            }
        }
    }

    fn ordered(&self, k: u32) -> (ExpressionNode, [Ref; 3]) {
        let node = self.merged.nodes[k as usize];
        let mut arguments = node.args;
        if node.op.is_commutative() && self.colours.of(arguments[1]) < self.colours.of(arguments[0]) {
            arguments.swap(0, 1);
        }
        (node, arguments)
    }

    fn name(&mut self, reference: Ref) -> Ref {
        match reference {
            Ref::Node(k) => Ref::Node(self.names[k as usize].expect("arguments are numbered before their users")),
            Ref::Parameter { block, component } => {
                let result = &mut self.result;
                let name = *self.block_names[block as usize].get_or_insert_with(|| {
                    result.blocks.push(block);
                    result.expression.block_sizes.push(self.merged.block_sizes[block as usize]);
                    result.blocks.len() as u32 - 1
                });
                Ref::Parameter { block: name, component }
            }
            Ref::Datum(k) => {
                let data = &mut self.result.data;
                Ref::Datum(*self.data_names[k as usize].get_or_insert_with(|| {
                    data.push(k);
                    data.len() as u32 - 1
                }))
            }
        }
    }
}
