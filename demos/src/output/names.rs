//! What a solve is called.

/// The names of a solve.
pub struct Names {
    /// The subcommand.
    pub demo: &'static str,
    /// Name of the problem, as in tables of reference costs.
    pub problem: String,
    /// Name in pictures.
    pub title: String,
    /// Default folder of the results, below `out`.
    pub folder: String,
}
