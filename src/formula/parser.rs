//! Tokens to operations, by the binding power of operators (V. R. Pratt, "Top down operator precedence", POPL 1973).

use std::f64::consts::PI;

use rustc_hash::{FxHashMap, FxHashSet};

use super::Operation;
use super::error::FormulaError;
use super::function::{Binary, Function, Unary};
use super::lexer::{Lexer, Token, TokenKind};

/// Levels of brackets, signs and powers within one another. Each is a call within a call; this many fit into the smallest of stacks
/// (a browser's worker has one megabyte).
const DEEPEST: usize = 200;

/// How strongly a sign before an operand binds it: more than a product, less than a power.
const SIGN: u8 = 5;

/// An infix operator: its operation, and how strongly it binds what is on its left and on its right. Stronger on the right makes
/// `a - b - c` go from the left, stronger on the left makes `a ** b ** c` go from the right.
fn infix(kind: TokenKind) -> Option<(Binary, u8, u8)> {
    Some(match kind {
        TokenKind::Plus => (Binary::Add, 1, 2),
        TokenKind::Minus => (Binary::Subtract, 1, 2),
        TokenKind::Times => (Binary::Multiply, 3, 4),
        TokenKind::Over => (Binary::Divide, 3, 4),
        TokenKind::Power => (Binary::Power, 7, 6),
        _ => return None,
    })
}

/// What names mean.
pub(super) struct Names {
    variables: Vec<String>,
    meanings: FxHashMap<String, Operation>,
    /// What stands before the bracket in variables such as `p[0]`.
    indexed: FxHashSet<String>,
    /// Whether a new name is a new variable.
    grow: bool,
}

impl Names {
    pub(super) fn any() -> Names {
        Names { grow: true, ..Names::given::<&str>(&[], &[]) }
    }

    pub(super) fn given<S: AsRef<str>>(variables: &[S], constants: &[(&str, f64)]) -> Names {
        let variables: Vec<String> = variables.iter().map(|name| name.as_ref().to_owned()).collect();
        let mut meanings = FxHashMap::default();
        for (name, number) in [("pi", PI)].iter().chain(constants) {
            meanings.insert((*name).to_owned(), Operation::Constant(*number));
        }
        let mut indexed = FxHashSet::default();
        for (k, name) in variables.iter().enumerate() {
            meanings.insert(name.clone(), Operation::Variable(k));
            indexed.extend(name.split_once('[').map(|(vector, _)| vector.to_owned()));
        }
        Names { variables, meanings, indexed, grow: false }
    }

    fn is_indexed(&self, name: &str) -> bool {
        self.indexed.contains(name)
    }

    fn component(&self, vector: Token<'_>, number: Token<'_>) -> Result<Operation, FormulaError> {
        let name = format!("{}[{}]", vector.text, number.text);
        self.meanings.get(&name).copied().ok_or_else(|| self.unknown(vector, name))
    }

    fn unknown(&self, token: Token<'_>, name: String) -> FormulaError {
        FormulaError::UnknownName { at: token.at, name, variables: self.variables.clone() }
    }

    fn meaning(&mut self, token: Token<'_>) -> Result<Operation, FormulaError> {
        if let Some(&meaning) = self.meanings.get(token.text) {
            return Ok(meaning);
        }
        if !self.grow {
            return Err(self.unknown(token, token.text.to_owned()));
        }
        let meaning = Operation::Variable(self.variables.len());
        self.variables.push(token.text.to_owned());
        self.meanings.insert(token.text.to_owned(), meaning);
        Ok(meaning)
    }
}

pub(super) struct Parser<'a> {
    lexer: Lexer<'a>,
    /// The token that is not used up yet.
    next: Token<'a>,
    names: Names,
    operations: Vec<Operation>,
    depth: usize,
}

impl<'a> Parser<'a> {
    pub(super) fn new(text: &'a str, line: usize, names: Names) -> Result<Parser<'a>, FormulaError> {
        let mut lexer = Lexer::new(text, line);
        let next = lexer.next()?;
        Ok(Parser { lexer, next, names, operations: Vec::new(), depth: 0 })
    }

    /// The operations of the whole text, and the names of its variables.
    pub(super) fn formula(mut self) -> Result<(Vec<Operation>, Vec<String>), FormulaError> {
        self.expression(0)?;
        match self.next.kind {
            TokenKind::End => Ok((self.operations, self.names.variables)),
            _ => Err(self.unexpected("an operator or the end")),
        }
    }

    /// Reads on while operators bind more strongly than `least`. Returns which operation has the result.
    fn expression(&mut self, least: u8) -> Result<usize, FormulaError> {
        if self.depth == DEEPEST {
            return Err(FormulaError::TooDeep { at: self.next.at, limit: DEEPEST });
        }
        self.depth += 1;
        let mut left = self.operand()?;
        while let Some((operator, to_the_left, to_the_right)) = infix(self.next.kind)
            && to_the_left > least
        {
            self.advance()?;
            let right = self.expression(to_the_right)?;
            left = self.push(Operation::Binary(operator, left, right));
        }
        self.depth -= 1;
        Ok(left)
    }

    fn operand(&mut self) -> Result<usize, FormulaError> {
        let token = self.next;
        match token.kind {
            TokenKind::Number(number) => {
                self.advance()?;
                Ok(self.push(Operation::Constant(number)))
            }
            TokenKind::Minus => {
                self.advance()?;
                let operand = self.expression(SIGN)?;
                Ok(self.push(Operation::Unary(Unary::Negate, operand)))
            }
            TokenKind::Plus => {
                self.advance()?;
                self.expression(SIGN)
            }
            TokenKind::Open => {
                self.advance()?;
                let inside = self.expression(0)?;
                self.close(token, "an operator")?;
                Ok(inside)
            }
            TokenKind::Name => {
                self.advance()?;
                if self.next.text == "[" && self.names.is_indexed(token.text) {
                    return self.component(token);
                }
                if self.next.kind == TokenKind::Open {
                    return self.call(token);
                }
                let meaning = self.names.meaning(token)?;
                Ok(self.push(meaning))
            }
            _ => Err(self.unexpected("a number, a name or an opening bracket")),
        }
    }

    /// The component of a vector whose name has been read: a variable called `name[0]`, `name[1]` …
    fn component(&mut self, name: Token<'a>) -> Result<usize, FormulaError> {
        let open = self.advance()?;
        let TokenKind::Number(_) = self.next.kind else {
            return Err(self.unexpected(&format!("the number of a component of \"{}\"", name.text)));
        };
        let number = self.advance()?;
        self.close(open, "the rest of a whole number")?;
        let meaning = self.names.component(name, number)?;
        Ok(self.push(meaning))
    }

    /// The arguments of a function whose name has been read.
    fn call(&mut self, name: Token<'a>) -> Result<usize, FormulaError> {
        let at = name.at;
        let Some(function) = Function::named(name.text) else {
            return Err(FormulaError::UnknownFunction { at, name: name.text.to_owned() });
        };
        let open = self.advance()?;
        let (mut arguments, mut found) = ([0; 2], 0);
        loop {
            let argument = self.expression(0)?;
            if let Some(place) = arguments.get_mut(found) {
                *place = argument;
            }
            found += 1;
            if self.next.kind != TokenKind::Comma {
                break;
            }
            self.advance()?;
        }
        self.close(open, "an operator, a comma")?;
        if found != function.arguments() {
            let (function, expected) = (name.text.to_owned(), function.arguments());
            return Err(FormulaError::Arguments { at, function, expected, found });
        }
        Ok(self.push(match function {
            Function::Unary(function) => Operation::Unary(function, arguments[0]),
            Function::Binary(function) => Operation::Binary(function, arguments[0], arguments[1]),
        }))
    }

    fn close(&mut self, open: Token<'a>, or: &str) -> Result<(), FormulaError> {
        let bracket = match open.text {
            "(" => ")",
            "[" => "]",
            _ => "}",
        };
        if self.next.text != bracket {
            return Err(self.unexpected(&format!("{or} or the \"{bracket}\" for \"{}\" at {}", open.text, open.at)));
        }
        self.advance()?;
        Ok(())
    }

    /// The token, which is used up by this.
    fn advance(&mut self) -> Result<Token<'a>, FormulaError> {
        let next = self.lexer.next()?;
        Ok(std::mem::replace(&mut self.next, next))
    }

    fn push(&mut self, operation: Operation) -> usize {
        self.operations.push(operation);
        self.operations.len() - 1
    }

    fn unexpected(&self, expected: &str) -> FormulaError {
        FormulaError::Syntax { at: self.next.at, expected: expected.to_owned(), found: self.next.to_string() }
    }
}
