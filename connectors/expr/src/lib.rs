//! connector-expr
