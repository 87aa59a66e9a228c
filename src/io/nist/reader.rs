//! Text to problem, section by section. The sections are found by their first words, not by line numbers: these agree with the
//! heads of the files nearly always, but the words do not depend on them.

use super::model;
use super::{NistLevel, NistParameter, NistProblem};
use crate::io::read_error::Fault;
use crate::io::text::{Line, Lines, Words, parse_number, quoted};

/// Bytes of the shortest column of a row, `0 `.
const SHORTEST: usize = 2;

pub(super) fn parse(bytes: &[u8]) -> Result<NistProblem, Fault> {
    let mut lines = Lines::new(bytes);
    let name = name(seek(&mut lines, "Dataset Name:")?)?;
    let predictors: usize = seek_count(&mut lines, "Predictor")?;
    let observations: usize = seek_count(&mut lines, "Observations")?;
    let level = level(&mut lines)?;
    seek(&mut lines, "Model:")?;
    let count: usize = seek_count(&mut lines, "Parameters")?;
    let model_lines = until(&mut lines, "Starting")?;
    let parameters = parameters(&mut lines, count)?;
    let residual_sum_of_squares = seek(&mut lines, "Residual Sum of Squares:")?.finite("a sum of squares")?;
    let residual_standard_deviation =
        seek(&mut lines, "Residual Standard Deviation:")?.finite("a standard deviation")?;
    let degrees_of_freedom = seek(&mut lines, "Degrees of Freedom:")?.number("a number of degrees of freedom")?;
    let mut again = seek(&mut lines, "Number of Observations:")?;
    let (found, at) = (again.number::<usize>("a number of observations")?, again.at());
    if found != observations {
        return Err(Fault::syntax(at, format!("{observations}, as in the head of the file"), found.to_string()));
    }
    let columns = columns(seek(&mut lines, "Data:")?, predictors)?;
    let formulas = model::parse(&model_lines, &parameters, &columns)?;
    let data = data(&mut lines, columns.len(), observations, bytes.len())?;
    let (response, model) = formulas;
    Ok(NistProblem {
        name,
        level,
        response,
        model,
        parameters,
        columns,
        data,
        residual_sum_of_squares,
        residual_standard_deviation,
        degrees_of_freedom,
    })
}

/// What follows these words at the beginning of a line, the first from here that has them.
fn seek<'a>(lines: &mut Lines<'a>, words: &str) -> Result<Words<'a>, Fault> {
    for line in lines.by_ref() {
        if let Some(text) = after(line, words) {
            return Ok(Line { text, ..line }.words());
        }
    }
    Err(Fault::truncated(lines.at(), format!("a line \"{words}\"")))
}

fn after<'a>(line: Line<'a>, words: &str) -> Option<&'a [u8]> {
    let text = line.text.trim_ascii_start();
    let head = text.get(..words.len())?;
    head.eq_ignore_ascii_case(words.as_bytes()).then(|| &text[words.len()..])
}

/// The number in the next line that begins with "14 Observations" and so on; a final s does not matter.
fn seek_count(lines: &mut Lines<'_>, what: &str) -> Result<usize, Fault> {
    let singular = what.trim_end_matches('s').as_bytes();
    for line in lines.by_ref() {
        let mut words = line.words();
        if let (Some(number), Some(word)) = (words.next(), words.next())
            && word.strip_suffix(b"s").unwrap_or(word) == singular
        {
            return parse_number(number, line.at(), &format!("the number of \"{what}\""));
        }
    }
    Err(Fault::truncated(lines.at(), format!("a line with the number of \"{what}\"")))
}

fn name(mut words: Words<'_>) -> Result<String, Fault> {
    let at = words.at();
    let name = words.next().ok_or_else(|| Fault::syntax(at, "the name of the data set", "the end of the line"))?;
    Ok(String::from_utf8_lossy(name).into_owned())
}

fn level(lines: &mut Lines<'_>) -> Result<NistLevel, Fault> {
    for line in lines.by_ref() {
        let Some(first) = line.text.trim_ascii().strip_suffix(b" Level of Difficulty") else { continue };
        return match first {
            b"Lower" => Ok(NistLevel::Lower),
            b"Average" => Ok(NistLevel::Average),
            b"Higher" => Ok(NistLevel::Higher),
            other => Err(Fault::syntax(line.at(), "Lower, Average or Higher", quoted(other))),
        };
    }
    Err(Fault::truncated(lines.at(), "a line with the level of difficulty"))
}

/// The lines before the one that begins with these words.
fn until<'a>(lines: &mut Lines<'a>, words: &str) -> Result<Vec<Line<'a>>, Fault> {
    let mut before = Vec::new();
    for line in lines.by_ref() {
        if after(line, words).is_some() {
            return Ok(before);
        }
        before.push(line);
    }
    Err(Fault::truncated(lines.at(), format!("a line \"{words}\"")))
}

/// `b1 =  start1  start2  certified  deviation` and so on.
fn parameters(lines: &mut Lines<'_>, count: usize) -> Result<Vec<NistParameter>, Fault> {
    let mut parameters = Vec::new();
    for k in 1..=count {
        let mut words = seek(lines, &format!("b{k} "))?;
        let at = words.at();
        if words.next() != Some(b"=") {
            return Err(Fault::syntax(at, format!("b{k} = and four numbers"), "no ="));
        }
        let starts = words.finite_numbers("a starting value")?;
        let certified = words.finite("a certified value")?;
        let standard_deviation = words.finite("a standard deviation")?;
        words.end()?;
        parameters.push(NistParameter { name: format!("b{k}"), starts, certified, standard_deviation });
    }
    Ok(parameters)
}

/// `Data:  y  x1  x2`
fn columns(words: Words<'_>, predictors: usize) -> Result<Vec<String>, Fault> {
    let at = words.at();
    let columns: Vec<String> = words.map(|word| String::from_utf8_lossy(word).into_owned()).collect();
    if columns.len().checked_sub(1) != Some(predictors) {
        let expected = format!("the names of the response and of {predictors} predictor(s)");
        return Err(Fault::syntax(at, expected, format!("{} name(s)", columns.len())));
    }
    Ok(columns)
}

fn data(lines: &mut Lines<'_>, columns: usize, observations: usize, bytes: usize) -> Result<Vec<f64>, Fault> {
    let mut data = Vec::with_capacity(observations.saturating_mul(columns).min(bytes / SHORTEST));
    for k in 0..observations {
        let Some(line) = lines.find(|line| !line.text.trim_ascii().is_empty()) else {
            return Err(Fault::truncated(lines.at(), format!("observation {k} (counted from 0) of {observations}")));
        };
        let mut words = line.words();
        for _ in 0..columns {
            data.push(words.finite("a number of an observation")?);
        }
        words.end()?;
    }
    match lines.find(|line| !line.text.trim_ascii().is_empty()) {
        Some(line) => {
            let expected = format!("the end of the file after {observations} observations");
            Err(Fault::syntax(line.at(), expected, quoted(line.text.trim_ascii())))
        }
        None => Ok(data),
    }
}
