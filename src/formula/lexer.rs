//! Characters to tokens.

use std::fmt;

use super::decimal::Decimal;
use super::error::{FormulaError, TextPosition};

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum TokenKind {
    Number(f64),
    Name,
    Plus,
    Minus,
    Times,
    Over,
    Power,
    Open,
    Close,
    Comma,
    End,
}

/// A token and where it stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Token<'a> {
    pub(super) kind: TokenKind,
    pub(super) text: &'a str,
    pub(super) at: TextPosition,
}

/// The token as errors show it: cut where it is long.
impl fmt::Display for Token<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 40;
        match (self.kind, self.text.char_indices().nth(SHOWN)) {
            (TokenKind::End, _) => write!(out, "the end"),
            (_, None) => write!(out, "\"{}\"", self.text.escape_debug()),
            (_, Some((end, _))) => write!(out, "\"{}...\"", self.text[..end].escape_debug()),
        }
    }
}

pub(super) struct Lexer<'a> {
    rest: &'a str,
    at: TextPosition,
}

impl<'a> Lexer<'a> {
    /// `line` is the number of the text's first line.
    pub(super) fn new(text: &'a str, line: usize) -> Lexer<'a> {
        Lexer { rest: text, at: TextPosition { line, column: 1 } }
    }

    /// The next token; after the last, the end again and again.
    pub(super) fn next(&mut self) -> Result<Token<'a>, FormulaError> {
        let blank = self.rest.len() - self.rest.trim_start().len();
        self.take(blank);
        let Some(first) = self.rest.chars().next() else {
            return Ok(Token { kind: TokenKind::End, text: "", at: self.at });
        };
        let at = self.at;
        let (kind, length) = match first {
            '+' => (TokenKind::Plus, 1),
            '-' => (TokenKind::Minus, 1),
            '*' if self.rest.starts_with("**") => (TokenKind::Power, 2),
            '*' => (TokenKind::Times, 1),
            '/' => (TokenKind::Over, 1),
            '^' => (TokenKind::Power, 1),
            '(' | '[' | '{' => (TokenKind::Open, 1),
            ')' | ']' | '}' => (TokenKind::Close, 1),
            ',' => (TokenKind::Comma, 1),
            '0'..='9' | '.' => return self.number(),
            c if c.is_alphabetic() || c == '_' => (TokenKind::Name, name_length(self.rest)),
            c => {
                let text = self.take(c.len_utf8());
                let found = Token { kind: TokenKind::Name, text, at }.to_string();
                return Err(FormulaError::Syntax { at, expected: "a formula's character".into(), found });
            }
        };
        Ok(Token { kind, text: self.take(length), at })
    }

    fn number(&mut self) -> Result<Token<'a>, FormulaError> {
        let at = self.at;
        let text = self.take(number_length(self.rest.as_bytes()));
        match text.parse() {
            Ok(Decimal(number)) if number.is_finite() => Ok(Token { kind: TokenKind::Number(number), text, at }),
            Ok(_) => Err(FormulaError::TooLarge { at, text: text.into() }),
            // A dot alone.
            Err(_) => {
                let found = format!("\"{text}\"");
                Err(FormulaError::Syntax { at, expected: "a number".into(), found })
            }
        }
    }

    /// Goes on by so many bytes, and returns them.
    fn take(&mut self, length: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        for c in taken.chars() {
            match c {
                '\n' => self.at = TextPosition { line: self.at.line + 1, column: 1 },
                _ => self.at.column += 1,
            }
        }
        taken
    }
}

fn name_length(text: &str) -> usize {
    text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len())
}

/// Digits with at most one dot, then an exponent where digits follow the letter: in `2e`, `e` is a name.
fn number_length(text: &[u8]) -> usize {
    let digits = |from: usize| text[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut end = digits(0);
    if text.get(end) == Some(&b'.') {
        end += 1;
        end += digits(end);
    }
    if matches!(text.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(text.get(end + 1), Some(b'+' | b'-')));
        let start = end + 1 + sign;
        if text.get(start).is_some_and(u8::is_ascii_digit) {
            end = start + digits(start);
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<(TokenKind, &str)> {
        let mut lexer = Lexer::new(text, 1);
        std::iter::from_fn(|| {
            let token = lexer.next().unwrap();
            (token.kind != TokenKind::End).then_some((token.kind, token.text))
        })
        .collect()
    }

    #[test]
    fn every_kind_of_number() {
        for (text, number) in [("1", 1.0), (".5", 0.5), ("2.", 2.0), ("1.5E-3", 1.5e-3), ("3e+2", 300.0), ("0E0", 0.0)]
        {
            assert_eq!(kinds(text), [(TokenKind::Number(number), text)]);
        }
        assert_eq!(kinds("2e"), [(TokenKind::Number(2.0), "2"), (TokenKind::Name, "e")]);
        assert_eq!(kinds("1.2.3"), [(TokenKind::Number(1.2), "1.2"), (TokenKind::Number(0.3), ".3")]);
        assert!(matches!(Lexer::new(".", 1).next(), Err(FormulaError::Syntax { .. })));
        assert!(matches!(Lexer::new("1e999", 1).next(), Err(FormulaError::TooLarge { .. })));
    }

    #[test]
    fn two_stars_are_one_token() {
        use TokenKind::{Close, Name, Open, Power, Times};
        let found: Vec<_> = kinds("a**b*[c^é_1]").into_iter().map(|(kind, _)| kind).collect();
        assert_eq!(found, [Name, Power, Name, Times, Open, Name, Power, Name, Close]);
    }

    #[test]
    fn positions_count_lines_and_characters() {
        let mut lexer = Lexer::new("é +\r\n  x", 1);
        let at: Vec<_> = (0..4).map(|_| lexer.next().unwrap().at).map(|at| (at.line, at.column)).collect();
        assert_eq!(at, [(1, 1), (1, 3), (2, 3), (2, 4)]);
    }
}
