//! From words to a program, by recursive descent: each level of the grammar is a function that calls the next tighter one.

use super::token::{Token, Tokens};
use super::{Expression, ExpressionError, Function, Inputs, Op};
use crate::limits::{EXPRESSION_BYTES_MAX, EXPRESSION_DEPTH_MAX, EXPRESSION_STACK_MAX};
use heapless::{String, Vec};

/// What an expression comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Number,
    Truth,
}

/// A condition on `value`.
pub(super) fn condition(text: &str) -> Result<Expression, ExpressionError> {
    let hint = "compare it with something: value < 0";
    let (expression, _) = parse(text, true, Kind::Truth, "this is no condition", hint)?;
    Ok(expression)
}

/// A formula, and what it is about.
pub(super) fn formula(text: &str) -> Result<(Expression, Inputs), ExpressionError> {
    let hint = "a comparison has no value of its own";
    let (expression, inputs) = parse(text, false, Kind::Number, "this is no number", hint)?;
    if inputs.is_empty() {
        return Err(ExpressionError {
            column: 1,
            what: "this names no signal",
            hint: "use the names of signals of the same device",
        });
    }
    Ok((expression, inputs))
}

fn parse(
    text: &str,
    is_condition: bool,
    wanted: Kind,
    what: &'static str,
    hint: &'static str,
) -> Result<(Expression, Inputs), ExpressionError> {
    if text.len() > EXPRESSION_BYTES_MAX {
        return Err(ExpressionError {
            column: 1 + text[..text.floor_char_boundary(EXPRESSION_BYTES_MAX)]
                .chars()
                .count(),
            what: "this is too long",
            hint: "256 bytes are allowed",
        });
    }
    let mut parser = Parser::new(text, is_condition)?;
    let kind = parser.either()?;
    if parser.token != Token::End {
        return Err(parser.error("this does not belong here", "join two parts by an operator"));
    }
    if kind != wanted {
        return Err(ExpressionError {
            column: 1,
            what,
            hint,
        });
    }
    let expression = Expression { ops: parser.ops };
    let is_sound = expression.is_sound(parser.inputs.len());
    is_sound
        .then_some((expression, parser.inputs))
        .ok_or(ExpressionError {
            column: 1,
            what: "this is too deep",
            hint: "calculate the larger part first",
        })
}

struct Parser<'t> {
    tokens: Tokens<'t>,
    token: Token<'t>,
    column: usize,
    is_condition: bool,
    depth: usize,
    ops: Vec<Op, { crate::limits::EXPRESSION_OPS_MAX }, u8>,
    inputs: Inputs,
}

type Parsed = Result<Kind, ExpressionError>;

impl<'t> Parser<'t> {
    fn new(text: &'t str, is_condition: bool) -> Result<Self, ExpressionError> {
        let mut tokens = Tokens::new(text);
        let (column, token) = tokens.next()?;
        Ok(Self {
            tokens,
            token,
            column,
            is_condition,
            depth: 0,
            ops: Vec::new(),
            inputs: Inputs::new(),
        })
    }

    const fn error(&self, what: &'static str, hint: &'static str) -> ExpressionError {
        ExpressionError {
            column: self.column,
            what,
            hint,
        }
    }

    fn advance(&mut self) -> Result<(), ExpressionError> {
        (self.column, self.token) = self.tokens.next()?;
        Ok(())
    }

    /// Takes a word or sign if it is the next one.
    fn take(&mut self, wanted: Token<'_>) -> Result<bool, ExpressionError> {
        let is_next = self.token == wanted;
        if is_next {
            self.advance()?;
        }
        Ok(is_next)
    }

    fn emit(&mut self, op: Op) -> Result<(), ExpressionError> {
        let error = self.error(
            "this has too many parts",
            "24 numbers, names and operators are allowed",
        );
        self.ops.push(op).map_err(|_| error)
    }

    fn want(&self, column: usize, kind: Kind, wanted: Kind) -> Result<(), ExpressionError> {
        let (what, hint) = match wanted {
            Kind::Number => (
                "a number must stand here",
                "a comparison has no value of its own",
            ),
            Kind::Truth => ("a comparison must stand here", "write value > 0, say"),
        };
        (kind == wanted)
            .then_some(())
            .ok_or(ExpressionError { column, what, hint })
    }

    /// `a or b`
    fn either(&mut self) -> Parsed {
        self.depth += 1;
        if self.depth > EXPRESSION_DEPTH_MAX {
            return Err(self.error("this is nested too deeply", "16 parentheses are allowed"));
        }
        let kind = self.chain(Token::Name("or"), Op::Or, Self::both)?;
        self.depth -= 1;
        Ok(kind)
    }

    /// `a and b`
    fn both(&mut self) -> Parsed {
        self.chain(Token::Name("and"), Op::And, Self::negation)
    }

    fn chain(&mut self, word: Token<'static>, op: Op, next: fn(&mut Self) -> Parsed) -> Parsed {
        let column = self.column;
        let kind = next(self)?;
        while self.take(word)? {
            self.want(column, kind, Kind::Truth)?;
            let column = self.column;
            let second = next(self)?;
            self.want(column, second, Kind::Truth)?;
            self.emit(op)?;
        }
        Ok(kind)
    }

    /// `not a`
    fn negation(&mut self) -> Parsed {
        let mut is_negated = false;
        let mut has_not = false;
        while self.take(Token::Name("not"))? {
            is_negated = !is_negated;
            has_not = true;
        }
        let column = self.column;
        let kind = self.comparison()?;
        if has_not {
            self.want(column, kind, Kind::Truth)?;
        }
        if is_negated {
            self.emit(Op::Not)?;
        }
        Ok(kind)
    }

    /// `a < b`
    fn comparison(&mut self) -> Parsed {
        let column = self.column;
        let kind = self.sum()?;
        let op = match self.token {
            Token::Sign("<") => Op::Less,
            Token::Sign("<=") => Op::LessOrEqual,
            Token::Sign(">") => Op::Greater,
            Token::Sign(">=") => Op::GreaterOrEqual,
            Token::Sign("==") => Op::Equal,
            Token::Sign("!=") => Op::Unequal,
            _ => return Ok(kind),
        };
        self.want(column, kind, Kind::Number)?;
        self.advance()?;
        let column = self.column;
        let second = self.sum()?;
        self.want(column, second, Kind::Number)?;
        self.emit(op)?;
        if matches!(
            self.token,
            Token::Sign("<" | "<=" | ">" | ">=" | "==" | "!=")
        ) {
            return Err(self.error("comparisons do not chain", "write a < b and b < c"));
        }
        Ok(Kind::Truth)
    }

    /// `a + b`
    fn sum(&mut self) -> Parsed {
        self.row(&[("+", Op::Add), ("-", Op::Subtract)], Self::product)
    }

    /// `a * b`
    fn product(&mut self) -> Parsed {
        self.row(&[("*", Op::Multiply), ("/", Op::Divide)], Self::sign)
    }

    fn row(&mut self, signs: &[(&str, Op)], next: fn(&mut Self) -> Parsed) -> Parsed {
        let column = self.column;
        let kind = next(self)?;
        while let Some((_, op)) = signs
            .iter()
            .find(|(sign, _)| self.token == Token::Sign(sign))
        {
            self.want(column, kind, Kind::Number)?;
            self.advance()?;
            let column = self.column;
            let second = next(self)?;
            self.want(column, second, Kind::Number)?;
            self.emit(*op)?;
        }
        Ok(kind)
    }

    /// `-a`
    fn sign(&mut self) -> Parsed {
        let mut is_negative = false;
        let mut has_sign = false;
        while self.take(Token::Sign("-"))? {
            is_negative = !is_negative;
            has_sign = true;
        }
        let column = self.column;
        let kind = self.operand()?;
        if has_sign {
            self.want(column, kind, Kind::Number)?;
        }
        if is_negative {
            self.emit(Op::Negate)?;
        }
        Ok(kind)
    }

    /// A number, a name, a call, or a part in parentheses.
    fn operand(&mut self) -> Parsed {
        match self.token {
            Token::Number(number) => {
                self.advance()?;
                self.emit(Op::Number(number))?;
                Ok(Kind::Number)
            }
            Token::Name("and" | "or" | "not") | Token::Sign(_) | Token::End
                if self.token != Token::Sign("(") =>
            {
                Err(self.error(
                    "something is missing here",
                    "a number, a name or a parenthesis",
                ))
            }
            Token::Name(name) => match Function::of(name) {
                Some(function) => self.call(function),
                None => self.input(name),
            },
            Token::Sign(_) | Token::End => {
                self.advance()?;
                let kind = self.either()?;
                self.close()?;
                Ok(kind)
            }
        }
    }

    fn close(&mut self) -> Result<(), ExpressionError> {
        let error = self.error("a parenthesis is open", "close it: )");
        self.take(Token::Sign(")"))?.then_some(()).ok_or(error)
    }

    fn call(&mut self, function: Function) -> Parsed {
        self.advance()?;
        let error = self.error(
            "a function needs its arguments",
            "write them in parentheses: abs(value)",
        );
        self.take(Token::Sign("("))?.then_some(()).ok_or(error)?;
        for nth in 0..function.arguments() {
            let error = self.error(
                "an argument is missing",
                "min, max and pow have two, clamp has three",
            );
            if nth > 0 && !self.take(Token::Sign(","))? {
                return Err(error);
            }
            let column = self.column;
            let kind = self.either()?;
            self.want(column, kind, Kind::Number)?;
        }
        self.close()?;
        self.emit(Op::Call(function))?;
        Ok(Kind::Number)
    }

    fn input(&mut self, name: &str) -> Parsed {
        if self.is_condition && name != "value" {
            return Err(self.error(
                "this name is unknown",
                "a condition is about `value`; functions are abs, sqrt, min, max, clamp, …",
            ));
        }
        let known = self.inputs.iter().position(|known| known == name);
        let nth = match known {
            Some(nth) => nth,
            None => {
                let error = self.error(
                    "this is one name too many, or too long a one",
                    "four signals of up to 32 bytes are allowed",
                );
                let name = String::try_from(name).map_err(|_| error)?;
                self.inputs.push(name).map_err(|_| error)?;
                self.inputs.len() - 1
            }
        };
        self.advance()?;
        self.emit(Op::Input(nth as u8))?;
        Ok(Kind::Number)
    }
}

const _: () = assert!(
    EXPRESSION_STACK_MAX > 3,
    "a call of clamp needs its arguments and what waits for it"
);
