//! Shader modules: one entry point over the instances of several groups, or over the blocks of several sizes.

use super::format::Format;
use super::library;
use std::fmt::Write;

/// Invocations of a workgroup. 128 keep small problems on many cores and large ones busy.
pub const WORKGROUP: u32 = 128;

/// A shader module with one entry point.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Module {
    /// Name of the entry point.
    pub entry: String,
    /// The text.
    pub wgsl: String,
    /// Bindings 0, 1, … of group 0, and whether the kernel writes to them.
    pub bindings: Vec<(Slot, bool)>,
    /// Statements of generated code: what the time to compile grows with.
    pub statements: usize,
}

/// What a binding is for. A kernel has at most eight of those that are not uniform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Slot {
    /// Uniform: sizes and tolerances that hold for a whole solve.
    Solve,
    /// Uniform: tables of the groups or classes that a dispatch is over.
    Plan,
    /// Uniform with dynamic offset: what differs from dispatch to dispatch.
    Call,
    /// Starts of parameter blocks, slot by slot, instance by instance.
    Indices,
    /// Incidence lists of parameter blocks, and the table of blocks.
    Incidence,
    /// Data columns.
    Data,
    /// The parameters.
    Point,
    /// The parameters at the trial point.
    TrialPoint,
    /// Lower and upper bound of every parameter.
    Bounds,
    /// Residuals at the accepted point.
    Residuals,
    /// Residuals at the trial point.
    TrialResiduals,
    /// Stored numbers of the Jacobian.
    Stored,
    /// J times a vector over the parameters.
    Product,
    /// Gradient Jᵀr.
    Gradient,
    /// Diagonal blocks of JᵀJ, lower triangles packed by rows.
    Diagonal,
    /// Inverses of the damped diagonal blocks, packed likewise.
    Inverse,
    /// Inverses of the damped diagonal blocks of eliminated blocks, by rows, one a parameter.
    InverseRows,
    /// Squares of the column scales.
    Scales,
    /// The damping D.
    Damping,
    /// The step δ.
    Step,
    /// Residual of the linear system.
    LinearResidual,
    /// The preconditioned residual z.
    Preconditioned,
    /// The search direction p.
    Direction,
    /// (JᵀJ + D) p.
    Image,
    /// The assembled JᵀJ: of each row of blocks the columns, one after the other.
    Matrix,
    /// Tables of the rows of the matrix, and where the component of each column stands.
    Columns,
    /// What each pair of coupled blocks sums over.
    Pairs,
    /// The vectors of conjugate gradients that take a dispatch an iteration, four numbers a place: z, M s, p twice over, and r, s, D, δ.
    Krylov,
    /// State of the solve, then the partial sums.
    Scalars,
    /// What instances contribute to a sum over parameter blocks.
    Contributions,
    /// A sum over parameter blocks, as bits that atomic operations work on.
    Sums,
    /// Numbers of the components that go on.
    Order,
    /// Normal equations of every component.
    Equations,
    /// State of the solve of every component.
    Components,
    /// How every component stands.
    Outcomes,
}

impl Slot {
    /// Name of the variable.
    pub const fn variable(self) -> &'static str {
        match self {
            Slot::Solve => "solve",
            Slot::Plan => "plan",
            Slot::Call => "call",
            Slot::Indices => "indices",
            Slot::Incidence => "incidence",
            Slot::Data => "data",
            Slot::Point => "x",
            Slot::TrialPoint => "trial_x",
            Slot::Bounds => "bounds",
            Slot::Residuals => "residuals",
            Slot::TrialResiduals => "trial_residuals",
            Slot::Stored => "stored",
            Slot::Product => "product",
            Slot::Gradient => "gradient",
            Slot::Diagonal => "diagonal",
            Slot::Inverse => "inverse",
            Slot::InverseRows => "inverse_rows",
            Slot::Scales => "scales",
            Slot::Damping => "damping",
            Slot::Step => "delta",
            Slot::LinearResidual => "linear_residual",
            Slot::Preconditioned => "preconditioned",
            Slot::Direction => "direction",
            Slot::Image => "image",
            Slot::Matrix => "matrix",
            Slot::Columns => "columns",
            Slot::Pairs => "pairs",
            Slot::Krylov => "krylov",
            Slot::Scalars => "scalars",
            Slot::Contributions => "contributions",
            Slot::Sums => "totals",
            Slot::Order => "order",
            Slot::Equations => "equations",
            Slot::Components => "components",
            Slot::Outcomes => "outcomes",
        }
    }

    /// The type, if it is a uniform.
    pub const fn uniform(self) -> Option<&'static str> {
        match self {
            Slot::Solve => Some("Solve"),
            Slot::Plan => Some("Plan"),
            Slot::Call => Some("Call"),
            _ => None,
        }
    }
}

/// The uniforms that a text needs, itself or through the library.
fn uniforms(text: &str) -> Vec<Slot> {
    let library = library::needed_by(text);
    let mentions = |name: &str| [text, &library].into_iter().flat_map(library::identifiers).any(|word| word == name);
    [Slot::Solve, Slot::Plan, Slot::Call].into_iter().filter(|slot| mentions(slot.variable())).collect()
}

/// Formats of a module: that of the numbers, and the wider one of sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Formats {
    /// Parameters, residuals, vectors.
    pub real: Format,
    /// Costs, norms and scalar products.
    pub sum: Format,
}

/// Puts a module together.
pub(super) struct ModuleBuilder {
    entry: &'static str,
    formats: Formats,
    bindings: Vec<(Slot, bool)>,
    tables: String,
    functions: String,
    main: String,
    workgroup: u32,
    pub statements: usize,
}

impl ModuleBuilder {
    /// `bindings` are the storage buffers in order; true where the kernel writes.
    pub fn new(entry: &'static str, formats: Formats, bindings: &[(Slot, bool)]) -> Self {
        ModuleBuilder {
            entry,
            formats,
            bindings: bindings.to_vec(),
            tables: String::new(),
            functions: String::new(),
            main: String::new(),
            workgroup: WORKGROUP,
            statements: 0,
        }
    }

    /// Tables of the plan: (name, type of an element, length).
    pub fn table(&mut self, name: &str, element: &str, length: usize) {
        let _ = writeln!(self.tables, "    {name}: array<{element}, {}>,", length.max(1));
    }

    pub fn function(&mut self, text: &str) {
        self.functions.push_str(text);
        self.functions.push('\n');
    }

    pub fn main(&mut self, line: impl AsRef<str>) {
        let _ = writeln!(self.main, "    {}", line.as_ref());
    }

    /// With workgroups of another size.
    pub fn workgroup(&mut self, invocations: u32) {
        self.workgroup = invocations;
    }

    /// For an entry point whose name a function of the library has.
    pub fn finish_as(mut self, entry: &'static str) -> Module {
        self.entry = entry;
        self.finish()
    }

    pub fn finish(self) -> Module {
        let ModuleBuilder { entry, formats, bindings, tables, functions, main, workgroup, statements } = self;
        let mut wgsl = numbers("R", "r", formats.real) + &numbers("S", "s", formats.sum);
        wgsl += &conversions(formats);
        let uniforms = uniforms(&(functions.clone() + &main));
        if !tables.is_empty() {
            let _ = writeln!(wgsl, "struct Plan {{\n{tables}}}\n");
        }
        for (k, slot) in uniforms.iter().enumerate() {
            let (name, kind) = (slot.variable(), slot.uniform().expect("a uniform"));
            let _ = writeln!(wgsl, "@group(0) @binding({k}) var<uniform> {name}: {kind};");
        }
        for (k, &(slot, writes)) in (uniforms.len()..).zip(&bindings) {
            let access = if writes { "read_write" } else { "read" };
            let element = match slot {
                Slot::Indices | Slot::Incidence | Slot::Columns | Slot::Pairs | Slot::Order | Slot::Outcomes => "u32",
                Slot::Krylov => "Krylov",
                Slot::Scalars | Slot::Components => "S",
                Slot::Sums => "atomic<SumBits>",
                _ => "R",
            };
            let name = slot.variable();
            let _ = writeln!(wgsl, "@group(0) @binding({k}) var<storage, {access}> {name}: array<{element}>;");
        }
        let guard = guard(formats, &bindings).map_or(String::new(), |zero| format!("    guard = {zero};\n"));
        let _ = write!(
            wgsl,
            "\n{functions}@compute @workgroup_size({workgroup})
fn {entry}(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {{
{guard}    let w = workgroup.y * workgroups.x + workgroup.x;
{main}}}
"
        );
        let library = library::needed_by(&wgsl);
        let slots = uniforms.into_iter().map(|slot| (slot, false)).chain(bindings);
        Module { entry: entry.to_owned(), wgsl: library + &wgsl, bindings: slots.collect(), statements }
    }
}

/// The zero that keeps roundings of two-float numbers from being optimised away: it has to come out of a storage buffer. Drivers see
/// through everything else: one compiles the contents of uniform buffers in, another folds the length of an array.
fn guard(formats: Formats, bindings: &[(Slot, bool)]) -> Option<String> {
    if ![formats.real, formats.sum].contains(&Format::DoubleF32) {
        return None;
    }
    let has = |slot: Slot| bindings.iter().any(|(other, _)| *other == slot);
    if has(Slot::Scalars) && formats.sum == Format::DoubleF32 {
        return Some("bitcast<u32>(scalars[GUARD].x)".to_owned());
    }
    // Places are less than 2³¹.
    let places = [Slot::Indices, Slot::Incidence, Slot::Columns, Slot::Pairs].into_iter().find(|slot| has(*slot))?;
    Some(format!("{}[0] & 0x80000000u", places.variable()))
}

/// The type `name` for numbers of a format, and its arithmetic as functions whose names end in `suffix`.
fn numbers(name: &str, suffix: &str, format: Format) -> String {
    use crate::value::op::Op;
    let mut text = format!("alias {name} = {};\n", format.type_name());
    for op in [Op::Add, Op::Sub, Op::Mul, Op::Div] {
        let expression = format.operation(op, &["a", "b"]);
        let _ = writeln!(text, "fn {}_{suffix}(a: {name}, b: {name}) -> {name} {{ return {expression}; }}", op.name());
    }
    for op in [Op::Neg, Op::Abs, Op::Sqrt] {
        let expression = format.operation(op, &["a"]);
        let _ = writeln!(text, "fn {}_{suffix}(a: {name}) -> {name} {{ return {expression}; }}", op.name());
    }
    let (less, single, number) = match format {
        Format::F32 => ("a < b", "a", "a"),
        Format::F64 => ("a < b", "f32(a)", "f64(a)"),
        Format::DoubleF32 => ("a.x < b.x || (a.x == b.x && a.y < b.y)", "a.x", "vec2<f32>(a, 0.0f)"),
    };
    let finite = format!("is_finite_{}(a)", format.suffix());
    let _ = writeln!(text, "fn less_{suffix}(a: {name}, b: {name}) -> bool {{ return {less}; }}");
    let _ = writeln!(text, "fn single_{suffix}(a: {name}) -> f32 {{ return {single}; }}");
    let _ = writeln!(text, "fn number_{suffix}(a: f32) -> {name} {{ return {number}; }}");
    let _ = writeln!(text, "fn finite_{suffix}(a: {name}) -> bool {{ return {finite}; }}\n");
    text
}

fn conversions(formats: Formats) -> String {
    let wide = match (formats.real, formats.sum) {
        (real, sum) if real == sum => "a",
        (Format::F32, Format::F64) => "f64(a)",
        (Format::DoubleF32, Format::F64) => "f64(a.x) + f64(a.y)",
        (Format::F32, Format::DoubleF32) => "vec2<f32>(a, 0.0f)",
        (real, sum) => unreachable!("sums of {real:?} in {sum:?}"),
    };
    let narrow = match (formats.real, formats.sum) {
        (real, sum) if real == sum => "a",
        (Format::F32, Format::F64) => "f32(a)",
        (Format::DoubleF32, Format::F64) => "vec2<f32>(f32(a), f32(a - f64(f32(a))))",
        _ => "a.x",
    };
    format!("fn wide(a: R) -> S {{ return {wide}; }}\nfn narrow(a: S) -> R {{ return {narrow}; }}\n\n")
}
