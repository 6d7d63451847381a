//! gateway-web
