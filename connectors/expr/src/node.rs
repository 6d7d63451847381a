//! The checked tree that is evaluated: what the checker makes of the parser's.

use jiff::tz::TimeZone;
use regex::Regex;
use serde_json::Value;

use crate::env::Table;
use crate::functions::Function;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Less,
    LessOrSame,
    Greater,
    GreaterOrSame,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sum {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Macro {
    All,
    Exists,
    ExistsOne,
    Map,
    Filter,
}

/// A checked expression.
#[derive(Debug)]
pub(crate) enum Node {
    Null,
    Literal(Value),
    /// A variable and what is selected from it; `time` when the attribute is declared as a timestamp.
    Path {
        variable: String,
        fields: Vec<String>,
        time: bool,
    },
    Now,
    /// The element that a macro is at.
    Item,
    Select {
        from: Box<Node>,
        field: String,
        time: bool,
    },
    Index(Box<Node>, Box<Node>),
    Has(Box<Node>),
    Not(Box<Node>),
    Negate(Box<Node>),
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    If(Box<Node>, Box<Node>, Box<Node>),
    Same {
        left: Box<Node>,
        right: Box<Node>,
        negated: bool,
    },
    Compare(Order, Box<Node>, Box<Node>),
    In(Box<Node>, Box<Node>),
    Sum(Sum, Box<Node>, Box<Node>),
    List(Vec<Node>),
    Object(Vec<(Node, Node)>),
    Each {
        over: Box<Node>,
        what: Macro,
        keep: Option<Box<Node>>,
        body: Box<Node>,
    },
    Call(Function, Vec<Node>),
    Matches(Box<Node>, Regex),
    Lookup {
        table: Table,
        key: Box<Node>,
        default: Option<Box<Node>>,
    },
    Date {
        value: Box<Node>,
        format: String,
        zone: TimeZone,
    },
}
