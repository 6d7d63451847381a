//! The gateway's side of plugin processes.
