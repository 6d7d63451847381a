//! gateway-domain
