//! connector-layers
