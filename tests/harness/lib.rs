//! Starts a gateway, stores and targets for the tests.
