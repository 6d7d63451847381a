//! The checker: turns the parser's tree into one that only refers to what is declared.

use std::collections::BTreeSet;

use cel::IdedExpr;
use cel::common::ast::{CallExpr, EntryExpr, Expr, LiteralValue, SelectExpr, SourceInfo, operators};
use serde_json::Value;

use crate::env::{Env, Type, nearest};
use crate::error::ExprError;
use crate::node::{Macro, Node, Order, Sum};

/// Everything that the checker knows while it walks the tree.
pub(crate) struct Checker<'e> {
    pub(crate) env: &'e Env,
    pub(crate) source: &'e str,
    pub(crate) places: SourceInfo,
    /// Inside a macro: its variable.
    pub(crate) item: Option<Item>,
    /// The declared attributes that are read, as dotted paths.
    pub(crate) reads: BTreeSet<String>,
    /// Whether the value depends on the candidate's number.
    pub(crate) suffixed: bool,
}

pub(crate) struct Item {
    name: String,
    of: Type,
    origin: Option<String>,
}

/// A checked node, its type, and the declared attribute that it comes from.
pub(crate) struct Checked {
    pub(crate) node: Node,
    pub(crate) of: Type,
    pub(crate) origin: Option<String>,
}

impl Checked {
    pub(crate) fn new(node: Node, of: Type) -> Checked {
        Checked { node, of, origin: None }
    }
}

type Outcome = Result<Checked, ExprError>;

impl Checker<'_> {
    /// Checks an expression that is read as a value.
    pub(crate) fn value(&mut self, expr: &IdedExpr) -> Outcome {
        let checked = self.part(expr)?;
        if let Some(origin) = &checked.origin {
            self.reads.insert(origin.clone());
        }
        Ok(checked)
    }

    /// Checks an expression that more is selected from: only the whole selection counts as read.
    pub(crate) fn part(&mut self, expr: &IdedExpr) -> Outcome {
        match &expr.expr {
            Expr::Literal(literal) => self.literal(expr, literal),
            Expr::Ident(name) => self.ident(expr, name),
            Expr::Select(select) => self.select(expr, select),
            Expr::List(list) => {
                let mut items = Vec::new();
                let mut of = None;
                if list.elements.len() > crate::eval::ELEMENTS {
                    return Err(self.error(expr, "a list has more than 1,000 elements"));
                }
                for element in &list.elements {
                    let checked = self.value(element)?;
                    of = Some(shared(of, &checked));
                    items.push(checked.node);
                }
                let of = of.unwrap_or(Type::Any);
                Ok(Checked::new(Node::List(items), Type::list(of)))
            }
            Expr::Map(map) => {
                let mut entries = Vec::new();
                for entry in &map.entries {
                    let EntryExpr::MapEntry(entry) = &entry.expr else {
                        return Err(self.error(expr, "this is no map"));
                    };
                    let key = self.value(&entry.key)?;
                    self.fits(&entry.key, &key.of, &Type::Text, "a map's key")?;
                    entries.push((key.node, self.value(&entry.value)?.node));
                }
                Ok(Checked::new(Node::Object(entries), Type::map(Type::Any)))
            }
            Expr::Call(call) => self.call(expr, call),
            Expr::Struct(_) => Err(self.error(expr, "messages cannot be built").hint("write a map: {'name': value}")),
            Expr::Comprehension(_) | Expr::Unspecified => Err(self.error(expr, "this is no expression")),
        }
    }

    pub(crate) fn error(&self, expr: &IdedExpr, message: impl Into<String>) -> ExprError {
        ExprError::at(self.source, self.offset(expr), message)
    }

    fn offset(&self, expr: &IdedExpr) -> usize {
        self.places.offset_for(expr.id).map_or(0, |(start, _)| start as usize)
    }

    fn literal(&self, expr: &IdedExpr, literal: &LiteralValue) -> Outcome {
        let (value, of) = match literal {
            LiteralValue::Null => return Ok(Checked::new(Node::Null, Type::Any)),
            LiteralValue::Boolean(value) => (Value::Bool(*value.inner()), Type::Boolean),
            LiteralValue::Int(value) => (Value::from(*value.inner()), Type::Integer),
            LiteralValue::Double(value) => (Value::from(*value.inner()), Type::Decimal),
            LiteralValue::String(value) => (Value::from(value.inner()), Type::Text),
            LiteralValue::UInt(_) => {
                return Err(self.error(expr, "there are no unsigned numbers").hint("leave out the u"));
            }
            LiteralValue::Bytes(_) => {
                return Err(self.error(expr, "there are no byte strings").hint("leave out the b"));
            }
        };
        Ok(Checked::new(Node::Literal(value), of))
    }

    fn ident(&self, expr: &IdedExpr, name: &str) -> Outcome {
        if let Some(item) = self.item.as_ref().filter(|item| item.name == name) {
            return Ok(Checked { node: Node::Item, of: item.of.clone(), origin: item.origin.clone() });
        }
        if name == "now" {
            return Ok(Checked::new(Node::Now, Type::Timestamp));
        }
        let Some(of) = self.env.of(name) else {
            let item = self.item.iter().map(|item| item.name.as_str());
            let known = self.env.variables().map(|(n, _)| n).chain(item).chain(["now"]);
            return Err(self.error(expr, format!("there is no variable `{name}`")).meant(nearest(name, known)));
        };
        Ok(Checked {
            node: Node::Path { variable: name.to_owned(), fields: Vec::new(), time: *of == Type::Timestamp },
            of: of.clone(),
            origin: Some(name.to_owned()),
        })
    }

    fn select(&mut self, expr: &IdedExpr, select: &SelectExpr) -> Outcome {
        let from = self.part(&select.operand)?;
        self.field(expr, from, &select.field)
    }

    /// Selects a declared attribute; `expr` is only the place for messages.
    fn field(&self, expr: &IdedExpr, from: Checked, field: &str) -> Outcome {
        let whole = from.origin.as_deref().unwrap_or("the value");
        let of = match &from.of {
            Type::Any => Type::Any,
            Type::Map(of) => of.as_ref().clone(),
            Type::Object(fields) => match fields.get(field) {
                Some(of) => of.clone(),
                None => {
                    let known = fields.keys().map(String::as_str);
                    return Err(ExprError::at(
                        self.source,
                        self.offset(expr) + 1,
                        format!("`{whole}` has no attribute `{field}`"),
                    )
                    .meant(nearest(field, known)));
                }
            },
            Type::List(_) => {
                return Err(self
                    .error(expr, format!("`{whole}` is a list, `{field}` is of its elements"))
                    .hint("take one with primary() or first(), or use exists(), map(), filter()"));
            }
            other => {
                return Err(self.error(expr, format!("`{whole}` is {} and has no attribute `{field}`", other.name())));
            }
        };
        let time = of == Type::Timestamp;
        let node = match from.node {
            Node::Path { variable, mut fields, .. } => {
                fields.push(field.to_owned());
                Node::Path { variable, fields, time }
            }
            node => Node::Select { from: Box::new(node), field: field.to_owned(), time },
        };
        let origin = from.origin.map(|origin| match from.of {
            Type::Object(_) => format!("{origin}.{field}"),
            _ => origin,
        });
        Ok(Checked { node, of, origin })
    }

    fn call(&mut self, expr: &IdedExpr, call: &CallExpr) -> Outcome {
        if call.target.is_none() {
            if let Some(checked) = self.operator(expr, &call.func_name, &call.args)? {
                return Ok(checked);
            }
            if call.func_name == "has" {
                return self.has(expr, &call.args);
            }
        }
        if let Some(target) = &call.target
            && let Some(what) = macro_named(&call.func_name)
        {
            return self.each(expr, what, target, &call.args);
        }
        let given: Vec<&IdedExpr> = call.target.as_deref().into_iter().chain(&call.args).collect();
        self.function(expr, &call.func_name, &given)
    }

    /// An operator, or none when the name is not one.
    fn operator(&mut self, expr: &IdedExpr, name: &str, given: &[IdedExpr]) -> Result<Option<Checked>, ExprError> {
        let checked = match (name, given) {
            (operators::LOGICAL_NOT, [a]) => Checked::new(Node::Not(self.condition(a, "!")?), Type::Boolean),
            (operators::LOGICAL_AND, [a, b]) => {
                Checked::new(Node::And(self.condition(a, "&&")?, self.condition(b, "&&")?), Type::Boolean)
            }
            (operators::LOGICAL_OR, [a, b]) => {
                Checked::new(Node::Or(self.condition(a, "||")?, self.condition(b, "||")?), Type::Boolean)
            }
            (operators::CONDITIONAL, [a, b, c]) => {
                let condition = self.condition(a, "?:")?;
                let (yes, no) = (self.value(b)?, self.value(c)?);
                let of = shared(Some(shared(None, &yes)), &no);
                let of = if matches!(yes.node, Node::Null) { no.of.clone() } else { of };
                Checked::new(Node::If(condition, Box::new(yes.node), Box::new(no.node)), of)
            }
            (operators::NEGATE, [a]) => {
                let value = self.value(a)?;
                if !matches!(value.of, Type::Any | Type::Integer | Type::Decimal) {
                    return Err(self.error(a, format!("`-` does not take {}", value.of.name())));
                }
                Checked::new(Node::Negate(Box::new(value.node)), value.of)
            }
            (operators::EQUALS | operators::NOT_EQUALS, [a, b]) => {
                let (left, right) = (self.value(a)?, self.value(b)?);
                self.comparable(expr, "==", &left.of, &right.of)?;
                Checked::new(
                    Node::Same {
                        left: Box::new(left.node),
                        right: Box::new(right.node),
                        negated: name == operators::NOT_EQUALS,
                    },
                    Type::Boolean,
                )
            }
            (operators::IN, [a, b]) => {
                let (needle, hay) = (self.value(a)?, self.value(b)?);
                match &hay.of {
                    Type::Any | Type::Map(_) | Type::Object(_) => {}
                    Type::List(of) => self.comparable(expr, "in", &needle.of, of)?,
                    other => {
                        return Err(self.error(b, format!("`in` looks into lists, not {}", other.name())));
                    }
                }
                Checked::new(Node::In(Box::new(needle.node), Box::new(hay.node)), Type::Boolean)
            }
            (operators::INDEX, [a, b]) => self.index(expr, a, b)?,
            (operators::OPT_INDEX | operators::OPT_SELECT, _) => {
                return Err(self
                    .error(expr, "there are no optional values")
                    .hint("leave out the ?: what is absent is null"));
            }
            (_, [a, b]) if order(name).is_some() || sum(name).is_some() => {
                let (left, right) = (self.value(a)?, self.value(b)?);
                self.binary(expr, name, left, right)?
            }
            _ => return Ok(None),
        };
        Ok(Some(checked))
    }

    fn binary(&self, expr: &IdedExpr, name: &str, left: Checked, right: Checked) -> Outcome {
        let (a, b) = (&left.of, &right.of);
        let symbol = name.trim_matches('_');
        let nodes = (Box::new(left.node), Box::new(right.node));
        if let Some(order) = order(name) {
            self.comparable(expr, symbol, a, b)?;
            for side in [a, b] {
                if matches!(side, Type::List(_) | Type::Object(_) | Type::Map(_)) {
                    return Err(self.error(expr, format!("`{symbol}` does not take {}", side.name())));
                }
            }
            return Ok(Checked::new(Node::Compare(order, nodes.0, nodes.1), Type::Boolean));
        }
        let sum = sum(name).unwrap_or(Sum::Add);
        let of = match (a, b) {
            (Type::Any, _) | (_, Type::Any) => Type::Any,
            (Type::Integer, Type::Integer) => Type::Integer,
            (Type::Integer | Type::Decimal, Type::Integer | Type::Decimal) => Type::Decimal,
            (Type::Text, Type::Text) if sum == Sum::Add => Type::Text,
            (Type::List(x), Type::List(y)) if sum == Sum::Add => {
                Type::list(if x == y { x.as_ref().clone() } else { Type::Any })
            }
            _ => {
                let error = self.error(expr, format!("`{symbol}` does not take {} and {}", a.name(), b.name()));
                return Err(if matches!((a, b), (Type::Text, _) | (_, Type::Text)) {
                    error.hint("make text of the other side with string(x)")
                } else if matches!((a, b), (Type::Timestamp, _)) {
                    error.hint("use add_days(time, days)")
                } else {
                    error
                });
            }
        };
        Ok(Checked::new(Node::Sum(sum, nodes.0, nodes.1), of))
    }

    fn index(&mut self, expr: &IdedExpr, from: &IdedExpr, index: &IdedExpr) -> Outcome {
        let from = self.part(from)?;
        if let Expr::Literal(LiteralValue::String(field)) = &index.expr {
            return self.field(expr, from, field.inner());
        }
        let at = self.value(index)?;
        let of = match (&from.of, &at.of) {
            (Type::List(of), Type::Any | Type::Integer) => of.as_ref().clone(),
            (Type::Map(of), Type::Any | Type::Text) => of.as_ref().clone(),
            (Type::Any, Type::Any | Type::Integer | Type::Text) => Type::Any,
            (Type::Object(_), _) => {
                return Err(self
                    .error(index, "an attribute's name must be written out")
                    .hint("write user['userName'] or user.userName"));
            }
            (a, b) => {
                return Err(self.error(expr, format!("`[]` does not take {} and {}", a.name(), b.name())));
            }
        };
        Ok(Checked { node: Node::Index(Box::new(from.node), Box::new(at.node)), of, origin: from.origin })
    }

    fn has(&mut self, expr: &IdedExpr, given: &[IdedExpr]) -> Outcome {
        match given {
            [attribute] if matches!(attribute.expr, Expr::Select(_)) => {
                let checked = self.value(attribute)?;
                Ok(Checked::new(Node::Has(Box::new(checked.node)), Type::Boolean))
            }
            _ => Err(self.error(expr, "`has` takes one attribute").hint("write has(user.nickName)")),
        }
    }

    fn each(&mut self, expr: &IdedExpr, what: Macro, over: &IdedExpr, given: &[IdedExpr]) -> Outcome {
        if self.item.is_some() {
            return Err(self
                .error(expr, "a macro stands inside another macro; they go one deep")
                .hint("filter first and then map, or use `in`"));
        }
        let (name, keep, body) = match given {
            [name, body] => (name, None, body),
            [name, keep, body] if what == Macro::Map => (name, Some(keep), body),
            _ => return Err(self.error(expr, "a macro takes a name and an expression over it")),
        };
        let Expr::Ident(name) = &name.expr else {
            return Err(self.error(name, "the first argument of a macro is a new name"));
        };
        if self.env.of(name).is_some() || name == "now" {
            return Err(self.error(expr, format!("the macro's name `{name}` hides a variable")));
        }
        let over = self.value(over)?;
        let element = match &over.of {
            Type::Any => Type::Any,
            Type::List(of) => of.as_ref().clone(),
            Type::Map(_) => Type::Text,
            other => {
                return Err(self.error(expr, format!("a macro runs over a list, not {}", other.name())));
            }
        };
        let origin = over.origin.filter(|_| matches!(over.of, Type::List(_)));
        self.item = Some(Item { name: name.clone(), of: element.clone(), origin });
        let checked = self.inside(what, keep, body);
        self.item = None;
        let (keep, body, body_of) = checked?;
        let of = match what {
            Macro::Map => Type::list(body_of),
            Macro::Filter => Type::list(element),
            Macro::All | Macro::Exists | Macro::ExistsOne => Type::Boolean,
        };
        Ok(Checked::new(Node::Each { over: Box::new(over.node), what, keep, body }, of))
    }

    #[allow(clippy::type_complexity)] // the three parts of a macro, used once
    fn inside(
        &mut self,
        what: Macro,
        keep: Option<&IdedExpr>,
        body: &IdedExpr,
    ) -> Result<(Option<Box<Node>>, Box<Node>, Type), ExprError> {
        let keep = keep.map(|keep| self.condition(keep, "map")).transpose()?;
        if what == Macro::Map {
            let body = self.value(body)?;
            return Ok((keep, Box::new(body.node), body.of));
        }
        Ok((keep, self.condition(body, "this macro")?, Type::Boolean))
    }

    fn condition(&mut self, expr: &IdedExpr, what: &str) -> Result<Box<Node>, ExprError> {
        let checked = self.value(expr)?;
        self.fits(expr, &checked.of, &Type::Boolean, &format!("a condition of `{what}`"))?;
        Ok(Box::new(checked.node))
    }

    pub(crate) fn fits(&self, expr: &IdedExpr, found: &Type, wanted: &Type, role: &str) -> Result<(), ExprError> {
        if *found == Type::Any || found == wanted {
            return Ok(());
        }
        Err(self.error(expr, format!("{role} must be {}, this is {}", wanted.name(), found.name())))
    }

    /// Refuses comparisons that can never be true: a declared text with a number, and the like.
    fn comparable(&self, expr: &IdedExpr, symbol: &str, a: &Type, b: &Type) -> Result<(), ExprError> {
        let fine = matches!(
            (a, b),
            (Type::Any, _)
                | (_, Type::Any)
                | (Type::Integer | Type::Decimal, Type::Integer | Type::Decimal)
                | (Type::Timestamp | Type::Text, Type::Timestamp | Type::Text)
                | (Type::Object(_) | Type::Map(_), Type::Object(_) | Type::Map(_))
                | (Type::List(_), Type::List(_))
                | (Type::Boolean, Type::Boolean)
        );
        if fine {
            return Ok(());
        }
        Err(self.error(expr, format!("`{symbol}` compares {} with {}, which is never so", a.name(), b.name())))
    }
}

/// The type that all of them have, else any. A null literal has every type.
pub(crate) fn shared(before: Option<Type>, next: &Checked) -> Type {
    match before {
        Some(before) if matches!(next.node, Node::Null) => before,
        Some(before) if before != next.of => Type::Any,
        _ => next.of.clone(),
    }
}

fn macro_named(name: &str) -> Option<Macro> {
    Some(match name {
        operators::ALL => Macro::All,
        operators::EXISTS => Macro::Exists,
        operators::EXISTS_ONE | "existsOne" => Macro::ExistsOne,
        operators::MAP => Macro::Map,
        operators::FILTER => Macro::Filter,
        _ => return None,
    })
}

fn order(name: &str) -> Option<Order> {
    Some(match name {
        operators::LESS => Order::Less,
        operators::LESS_EQUALS => Order::LessOrSame,
        operators::GREATER => Order::Greater,
        operators::GREATER_EQUALS => Order::GreaterOrSame,
        _ => return None,
    })
}

fn sum(name: &str) -> Option<Sum> {
    Some(match name {
        operators::ADD => Sum::Add,
        operators::SUBSTRACT => Sum::Subtract,
        operators::MULTIPLY => Sum::Multiply,
        operators::DIVIDE => Sum::Divide,
        operators::MODULO => Sum::Modulo,
        _ => return None,
    })
}
