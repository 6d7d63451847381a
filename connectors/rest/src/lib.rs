//! connector-rest
