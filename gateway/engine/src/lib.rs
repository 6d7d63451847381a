//! gateway-engine
