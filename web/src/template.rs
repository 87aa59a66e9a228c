//! Residuals from texts: one template for any number of rows.

use super::failure::Failure;
use super::object::Properties;
use isograd::formula::Formula;
use isograd::problem::loss;
use isograd::{BlockId, Blocks, Problem, ProblemError, Table, Value};
use std::ops::Range;
use wasm_bindgen::JsValue;

/// What `Problem.addTemplate` is given.
pub struct Template {
    residuals: Vec<Formula>,
    /// Size of each block.
    sizes: Vec<usize>,
    indices: Vec<u32>,
    columns: usize,
    data: Vec<f64>,
    loss: Option<Loss>,
}

impl Template {
    pub fn read(value: &JsValue) -> Result<Self, Failure> {
        let template = Properties::of(value, "template")?;
        let (mut names, mut sizes) = (Vec::new(), Vec::new());
        for block in template.array("blocks")?.iter() {
            let block = Properties::of(&block, "an element of template.blocks")?;
            let name =
                block.need("name")?.as_string().ok_or_else(|| Failure::argument("the name of a block is no string"))?;
            let size = block.count("size")?.unwrap_or(1);
            if size > MOST_COMPONENTS {
                return Err(Failure::argument(format!(
                    "block {name:?} has size {size}; a template takes at most {MOST_COMPONENTS} components a block"
                )));
            }
            if size == 1 {
                names.push(vec![name.clone(), format!("{name}[0]")]);
            } else {
                names.push((0..size).map(|k| format!("{name}[{k}]")).collect());
            }
            sizes.push(size);
        }
        let (mut columns, mut data) = (Vec::new(), Vec::new());
        if let Some(value) = template.get("data")? {
            let table = Properties::of(&value, "template.data")?;
            columns = table.texts("names")?;
            data = table.numbers("values")?;
        }
        let variables: Vec<String> = names.into_iter().flatten().chain(columns.iter().cloned()).collect();
        if let Some((_, name)) = variables.iter().enumerate().find(|&(k, name)| variables[..k].contains(name)) {
            return Err(Failure::argument(format!("two blocks or columns of the template are called {name:?}")));
        }
        let texts = template.texts("residuals")?;
        let parse = |(index, text): (usize, &String)| {
            Formula::with_variables(text, &variables)
                .map_err(|error| Failure::new("invalid-formula", format!("residual {index}, {error}")))
        };
        let loss = template.get("loss")?.map(|value| Loss::read(&value)).transpose()?;
        Ok(Template {
            residuals: texts.iter().enumerate().map(parse).collect::<Result<_, _>>()?,
            sizes,
            indices: template.indices("indices")?,
            columns: columns.len(),
            data,
            loss,
        })
    }

    /// Adds the residual blocks, one a row; `blocks` are all those of the problem.
    pub fn add(&self, problem: &mut Problem, blocks: &[BlockId]) -> Result<Range<usize>, Failure> {
        let mut entries = Vec::with_capacity(self.indices.len());
        for (place, &index) in self.indices.iter().enumerate() {
            let row = place / self.sizes.len().max(1);
            let argument = place % self.sizes.len().max(1);
            let &block = blocks.get(index as usize).ok_or_else(|| {
                let count = blocks.len();
                Failure::argument(format!(
                    "template.indices, row {row}: there is no block {index}, the problem has {count}"
                ))
            })?;
            let (expected, found) = (self.sizes[argument], problem.parameters().size(block.index()));
            if expected != found {
                return Err(Failure::argument(format!(
                    "template.indices, row {row}: block {index} has {found} components, and argument {argument} takes {expected}"
                )));
            }
            entries.push(block);
        }
        let rows = Table { width: self.sizes.len(), entries: &entries };
        let residual = |x: Blocks<'_>, data: &[Value]| self.evaluate(x, data);
        let added = match self.columns {
            0 => problem.add_residual_batch(&rows, &(), residual)?,
            width => problem.add_residual_batch(&rows, &Table { width, entries: &self.data }, residual)?,
        };
        if let Some(loss) = &self.loss {
            (loss.set)(problem, added.clone(), loss.width)?;
        }
        Ok(added)
    }

    fn evaluate(&self, x: Blocks<'_>, data: &[Value]) -> Vec<Value> {
        let mut values = Vec::new();
        for block in x.iter() {
            values.extend_from_slice(block);
            if let [only] = block {
                // Under both of its names.
                values.push(*only);
            }
        }
        values.extend_from_slice(data);
        self.residuals.iter().map(|formula| formula.evaluate(&values)).collect()
    }
}

/// More components than this are a mistake rather than a block.
const MOST_COMPONENTS: usize = 10_000;

/// A robust loss by name.
struct Loss {
    set: SetLoss,
    width: f64,
}

/// Gives residual blocks a loss of a width.
type SetLoss = fn(&mut Problem, Range<usize>, f64) -> Result<(), ProblemError>;

const LOSSES: &[(&str, SetLoss)] = &[
    ("huber", |problem, rows, width| problem.set_loss(rows, loss::Huber(width))),
    ("soft-l1", |problem, rows, width| problem.set_loss(rows, loss::SoftL1(width))),
    ("cauchy", |problem, rows, width| problem.set_loss(rows, loss::Cauchy(width))),
    ("arctan", |problem, rows, width| problem.set_loss(rows, loss::Arctan(width))),
    ("tukey", |problem, rows, width| problem.set_loss(rows, loss::Tukey(width))),
    ("geman-mcclure", |problem, rows, width| problem.set_loss(rows, loss::GemanMcClure(width))),
    ("welsch", |problem, rows, width| problem.set_loss(rows, loss::Welsch(width))),
    ("fair", |problem, rows, width| problem.set_loss(rows, loss::Fair(width))),
];

impl Loss {
    fn read(value: &JsValue) -> Result<Self, Failure> {
        let loss = Properties::of(value, "template.loss")?;
        let set = loss.choice("name", LOSSES)?;
        let set = set.ok_or_else(|| Failure::argument("template.loss.name is missing"))?;
        let width = loss.number("width")?.unwrap_or(1.0);
        // Written so that a NaN fails too.
        if !(width > 0.0 && width.is_finite()) {
            return Err(Failure::argument(format!("template.loss.width is {width}; it must be a number above 0")));
        }
        Ok(Loss { set, width })
    }
}
