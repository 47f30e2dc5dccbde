//! A small language for conditions and formulas over readings: `value < -40 or value > 85`, `volts * amps / 1000`.
//!
//! Numbers, names, `+ - * /`, comparisons, `and or not`, parentheses, and the functions of [`Function`]. Nothing loops and
//! nothing is stored, so every expression ends. Text is compiled once, with types checked, to a postfix program of bounded
//! length; running it can't fail for any numbers.

mod parse;
mod token;

use crate::limits::{EXPRESSION_OPS_MAX, EXPRESSION_STACK_MAX, INPUTS_MAX, SIGNAL_BYTES_MAX};
use core::fmt;
use heapless::{String, Vec};
use serde::{Deserialize, Serialize};

/// A compiled expression.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Expression {
    ops: Vec<Op, EXPRESSION_OPS_MAX, u8>,
}

/// The names that a formula is about, in the order in which its values are given.
pub type Inputs = Vec<String<SIGNAL_BYTES_MAX, u8>, INPUTS_MAX, u8>;

/// One step: takes its arguments off the stack and puts its result there. Truth is 1, falsehood 0.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum Op {
    Number(f64),
    Input(u8),
    Negate,
    Not,
    Add,
    Subtract,
    Multiply,
    Divide,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    Unequal,
    And,
    Or,
    Call(Function),
}

/// What can be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Function {
    /// `abs(x)`
    Abs,
    /// `sqrt(x)`; no number of a negative one.
    Sqrt,
    /// `exp(x)`
    Exp,
    /// `ln(x)`; no number of a negative one.
    Ln,
    /// `floor(x)`
    Floor,
    /// `ceil(x)`
    Ceil,
    /// `round(x)`, halves away from zero.
    Round,
    /// `min(x, y)`
    Min,
    /// `max(x, y)`
    Max,
    /// `pow(x, y)`
    Pow,
    /// `clamp(x, least, most)`; `most` where they contradict.
    Clamp,
}

/// Why a text is no expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpressionError {
    /// Where, in characters from 1.
    pub column: usize,
    /// What is wrong there.
    pub what: &'static str,
    /// What to do.
    pub hint: &'static str,
}

impl fmt::Display for ExpressionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { column, what, hint } = self;
        write!(f, "column {column}: {what}; {hint}")
    }
}

impl core::error::Error for ExpressionError {}

impl Expression {
    /// Compiles a condition on one reading, which is called `value`.
    ///
    /// # Errors
    /// [`ExpressionError`] with the column.
    pub fn condition(text: &str) -> Result<Self, ExpressionError> {
        parse::condition(text)
    }

    /// Compiles a formula of numbers, and tells which names it uses.
    ///
    /// # Errors
    /// [`ExpressionError`] with the column.
    pub fn formula(text: &str) -> Result<(Self, Inputs), ExpressionError> {
        parse::formula(text)
    }

    /// Whether a condition holds for a value. It holds for no value that is no number, unless it says `not`.
    #[must_use]
    pub fn holds(&self, value: f64) -> bool {
        self.eval(&[value]) == 1.0
    }

    /// The result for these inputs; no number where there is none, such as 0 / 0.
    #[must_use]
    pub fn eval(&self, inputs: &[f64]) -> f64 {
        let mut stack = Stack::default();
        for op in &self.ops {
            let result = match *op {
                Op::Number(number) => number,
                Op::Input(nth) => inputs.get(usize::from(nth)).copied().unwrap_or(f64::NAN),
                Op::Negate => -stack.pop(),
                Op::Not => truth(stack.pop() == 0.0),
                Op::Call(function) => function.call(&mut stack),
                binary => {
                    let (b, a) = (stack.pop(), stack.pop());
                    binary.of(a, b)
                }
            };
            stack.push(result);
        }
        stack.pop()
    }

    /// Whether it was compiled, or could have been: each step finds its arguments, and one result is left.
    pub(crate) fn is_sound(&self, inputs: usize) -> bool {
        let mut depth = 0_usize;
        for op in &self.ops {
            let Some(rest) = depth.checked_sub(op.arguments()) else {
                return false;
            };
            depth = rest + 1;
            let is_known = !matches!(op, Op::Input(nth) if usize::from(*nth) >= inputs);
            if depth > EXPRESSION_STACK_MAX || !is_known {
                return false;
            }
        }
        depth == 1
    }
}

impl Op {
    const fn arguments(self) -> usize {
        match self {
            Self::Number(_) | Self::Input(_) => 0,
            Self::Negate | Self::Not => 1,
            Self::Call(function) => function.arguments(),
            _ => 2,
        }
    }

    fn of(self, a: f64, b: f64) -> f64 {
        match self {
            Self::Add => a + b,
            Self::Subtract => a - b,
            Self::Multiply => a * b,
            Self::Divide => a / b,
            Self::Less => truth(a < b),
            Self::LessOrEqual => truth(a <= b),
            Self::Greater => truth(a > b),
            Self::GreaterOrEqual => truth(a >= b),
            Self::Equal => truth(a == b),
            Self::Unequal => truth(a != b),
            Self::And => truth(a != 0.0 && b != 0.0),
            Self::Or => truth(a != 0.0 || b != 0.0),
            Self::Number(_) | Self::Input(_) | Self::Negate | Self::Not | Self::Call(_) => f64::NAN,
        }
    }
}

const fn truth(is_true: bool) -> f64 {
    if is_true { 1.0 } else { 0.0 }
}

impl Function {
    const ALL: [(&'static str, Self); 11] = [
        ("abs", Self::Abs),
        ("sqrt", Self::Sqrt),
        ("exp", Self::Exp),
        ("ln", Self::Ln),
        ("floor", Self::Floor),
        ("ceil", Self::Ceil),
        ("round", Self::Round),
        ("min", Self::Min),
        ("max", Self::Max),
        ("pow", Self::Pow),
        ("clamp", Self::Clamp),
    ];

    fn of(name: &str) -> Option<Self> {
        let known = Self::ALL.iter().find(|(known, _)| *known == name);
        known.map(|(_, function)| *function)
    }

    const fn arguments(self) -> usize {
        match self {
            Self::Abs | Self::Sqrt | Self::Exp | Self::Ln => 1,
            Self::Floor | Self::Ceil | Self::Round => 1,
            Self::Min | Self::Max | Self::Pow => 2,
            Self::Clamp => 3,
        }
    }

    fn call(self, stack: &mut Stack) -> f64 {
        let last = stack.pop();
        match self {
            Self::Abs => last.abs(),
            Self::Sqrt => libm::sqrt(last),
            Self::Exp => libm::exp(last),
            Self::Ln => libm::log(last),
            Self::Floor => libm::floor(last),
            Self::Ceil => libm::ceil(last),
            Self::Round => libm::round(last),
            // Not f64::min and max: of two zeros they take either, as the processor likes.
            Self::Min => libm::fminimum_num(stack.pop(), last),
            Self::Max => libm::fmaximum_num(stack.pop(), last),
            Self::Pow => libm::pow(stack.pop(), last),
            Self::Clamp => {
                let (least, value) = (stack.pop(), stack.pop());
                libm::fminimum_num(libm::fmaximum_num(value, least), last)
            }
        }
    }
}

/// The stack of a run. A program that [`is_sound`](Expression::is_sound) neither fills nor empties it.
#[derive(Default)]
struct Stack {
    values: [f64; EXPRESSION_STACK_MAX],
    len: usize,
}

impl Stack {
    fn push(&mut self, value: f64) {
        if let Some(place) = self.values.get_mut(self.len) {
            *place = value;
            self.len += 1;
        }
    }

    fn pop(&mut self) -> f64 {
        self.len = self.len.saturating_sub(1);
        self.values[self.len]
    }
}

#[cfg(test)]
mod tests;
