//! SQLite runs the suite, in memory and on a disk.
#![allow(clippy::expect_used)]

mod memory {
    use gateway_domain::Clock;
    use gateway_store::{Sqlite, store_conformance};
    use std::sync::Arc;

    async fn open(clock: Arc<dyn Clock>) -> (Sqlite, ()) {
        (Sqlite::open_url("sqlite::memory:", clock, Default::default()).expect("a store in memory opens"), ())
    }

    store_conformance!(open);
}

mod disk {
    use gateway_domain::Clock;
    use gateway_store::{Sqlite, store_conformance};
    use std::sync::Arc;
    use tempfile::TempDir;

    async fn open(clock: Arc<dyn Clock>) -> (Sqlite, TempDir) {
        let dir = TempDir::new().expect("a directory");
        let store = Sqlite::open(&dir.path().join("store.db"), clock, Default::default()).expect("a store opens");
        (store, dir)
    }

    store_conformance!(open);
}
