//! What can be wrong with a problem as it is stated.

use crate::value::ValueError;

/// Why a parameter block, a residual block or a batch was refused. The problem is as it was before the call.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ProblemError {
    /// A block without components.
    #[error("parameter block {block} has no component")]
    EmptyBlock {
        /// Index the block would have had.
        block: usize,
    },
    /// A flat list of blocks whose length is no multiple of the block size.
    #[error("{length} numbers do not make parameter blocks of {size}")]
    RaggedBlocks {
        /// Length of the list.
        length: usize,
        /// Components a block.
        size: usize,
    },
    /// A NaN or an infinity among the parameters.
    #[error("component {component} of parameter block {block} is {value}; the start point must be finite")]
    NonFiniteParameter {
        /// Index of the block.
        block: usize,
        /// Index in the block.
        component: usize,
        /// The number.
        value: f64,
    },
    /// A block id of another problem, or an index past the last block.
    #[error(
        "residual block {residual_block}: argument {argument} is parameter block {block}, but there are only {blocks}"
    )]
    UnknownBlock {
        /// Index of the residual block; in a batch, of its row.
        residual_block: usize,
        /// Position in the list of blocks.
        argument: usize,
        /// The index given.
        block: usize,
        /// Number of blocks of the problem.
        blocks: usize,
    },
    /// A block id of another problem.
    #[error("there is no parameter block {block}, but {blocks} of them from 0 on")]
    NoSuchBlock {
        /// The index given.
        block: usize,
        /// Number of blocks of the problem.
        blocks: usize,
    },
    /// A component past the end of its block.
    #[error("parameter block {block} has {size} components, so there is no component {component}")]
    UnknownComponent {
        /// Index of the block.
        block: usize,
        /// The component given.
        component: usize,
        /// Components of the block.
        size: usize,
    },
    /// One block twice in a residual.
    #[error("residual block {residual_block} takes parameter block {block} twice; pass it once and use it twice")]
    RepeatedBlock {
        /// Index of the residual block.
        residual_block: usize,
        /// Index of the parameter block.
        block: usize,
    },
    /// A residual that takes no block.
    #[error("residual block {residual_block} takes no parameter block, so nothing could change it")]
    NoBlock {
        /// Index of the residual block.
        residual_block: usize,
    },
    /// A block that no residual of the function depends on.
    #[error(
        "residual block {residual_block} does not depend on its argument {argument} (parameter block {block}); leave it out"
    )]
    IgnoredBlock {
        /// Index of the residual block.
        residual_block: usize,
        /// Position in the list of blocks.
        argument: usize,
        /// Index of the parameter block.
        block: usize,
    },
    /// A function that returned nothing.
    #[error("residual block {residual_block}: the function returned no residual")]
    NoResidual {
        /// Index of the residual block.
        residual_block: usize,
    },
    /// A function that returned more or fewer residuals than before.
    #[error(
        "residual block {residual_block}: the function returned {found} residuals, but {expected} for the first instance"
    )]
    ResidualCount {
        /// Index of the residual block.
        residual_block: usize,
        /// Number returned first.
        expected: usize,
        /// Number returned now.
        found: usize,
    },
    /// A value that does not belong to the residual function.
    #[error("residual block {residual_block}: {source}")]
    Value {
        /// Index of the residual block.
        residual_block: usize,
        /// What was wrong with it.
        source: ValueError,
    },
    /// Index rows and data rows of different number.
    #[error("{indices} rows of parameter blocks but {data} rows of data")]
    RowCount {
        /// Rows of blocks.
        indices: usize,
        /// Rows of data.
        data: usize,
    },
    /// A table whose length is no multiple of its width.
    #[error("a table of {length} entries has no rows of {width}")]
    RaggedTable {
        /// Length of the table.
        length: usize,
        /// Entries a row.
        width: usize,
    },
    /// A NaN or an infinity among the data.
    #[error("data row {row}, column {column} is {value}; data must be finite")]
    NonFiniteData {
        /// Row of the batch.
        row: usize,
        /// Column of the data.
        column: usize,
        /// The number.
        value: f64,
    },
    /// Instances of a batch have blocks of different sizes.
    #[error("row {row}: argument {argument} has {found} components, but {expected} in the first row")]
    BlockSize {
        /// Row of the batch.
        row: usize,
        /// Position in the list of blocks.
        argument: usize,
        /// Components in the first row.
        expected: usize,
        /// Components here.
        found: usize,
    },
    /// The function is not the same for all instances.
    #[error(
        "row {row} traces to another expression than row 0, so the function is no template; decide with Value::select inside the \
         kernel, or add its residual blocks one by one"
    )]
    TemplateDiverges {
        /// A row that differs.
        row: usize,
    },
    /// A manifold whose points are of another size than the block.
    #[error("parameter block {block} has {found} components, but a point of {manifold} has {expected}")]
    ManifoldSize {
        /// Index of the block.
        block: usize,
        /// Name of the manifold.
        manifold: String,
        /// Numbers a point.
        expected: usize,
        /// Components of the block.
        found: usize,
    },
    /// Numbers that are no point of the manifold.
    #[error("parameter block {block} is no point of {manifold}: {reason}")]
    OffManifold {
        /// Index of the block.
        block: usize,
        /// Name of the manifold.
        manifold: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A fixed component of a block on a manifold.
    #[error(
        "parameter block {block} is on {manifold}, where the components of a point are not free one by one; hold directions with \
         manifold::Subset, or fix the whole block"
    )]
    ComponentOnManifold {
        /// Index of the block.
        block: usize,
        /// Name of the manifold.
        manifold: String,
    },
    /// Bounds on a block on a manifold.
    #[error("parameter block {block} is on {manifold}, and bounds are for plain blocks; bound a block of its own")]
    BoundOnManifold {
        /// Index of the block.
        block: usize,
        /// Name of the manifold.
        manifold: String,
    },
    /// A manifold whose ⊞ cannot be compiled.
    #[error("manifold {manifold}: {reason}")]
    ManifoldFunction {
        /// Name of the manifold.
        manifold: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A loss that cannot be compiled.
    #[error("loss {loss}: {reason}")]
    LossFunction {
        /// Name of the loss.
        loss: String,
        /// What is wrong with it.
        reason: String,
    },
    /// An information matrix or a weight that is none.
    #[error("information matrix: {reason}")]
    Information {
        /// What is wrong with it.
        reason: String,
    },
    /// Residual blocks that do not exist.
    #[error("there are no residual blocks {start}..{end}, but {blocks} of them from 0 on")]
    NoSuchResidualBlocks {
        /// First block asked for.
        start: usize,
        /// End of the range asked for.
        end: usize,
        /// Residual blocks of the problem.
        blocks: usize,
    },
    /// Bounds that no number meets, or that are NaN.
    #[error("component {component} of parameter block {block} cannot be between {lower} and {upper}")]
    EmptyBounds {
        /// Index of the block.
        block: usize,
        /// Index in the block.
        component: usize,
        /// Lower bound.
        lower: f64,
        /// Upper bound.
        upper: f64,
    },
    /// A number outside of its bounds.
    #[error("component {component} of parameter block {block} is {value}, outside of its bounds {lower} to {upper}")]
    OutOfBounds {
        /// Index of the block.
        block: usize,
        /// Index in the block.
        component: usize,
        /// The number.
        value: f64,
        /// Lower bound.
        lower: f64,
        /// Upper bound.
        upper: f64,
    },
    /// More blocks or numbers than 32-bit indices reach.
    #[error("a problem holds at most 2^32 - 1 {what}")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
    },
    /// Nothing to solve.
    #[error("the problem has no {what}")]
    Empty {
        /// `residuals` or `parameters`.
        what: &'static str,
    },
    /// A parameter vector of the wrong length.
    #[error("{found} parameters given, but there are {expected}")]
    ParameterCount {
        /// Parameters of the problem.
        expected: usize,
        /// Numbers given.
        found: usize,
    },
}
