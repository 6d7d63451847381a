//! Knowing what a target is: its schema, read when the work begins and looked at again from time to time.
//!
//! Calls do not wait for it. What rests on it (how long a write takes until it can be read, whether something follows a change) is
//! assumed to be as in most targets until it is known.

use crate::targets::Target;
use gateway_domain::Lane;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Between two attempts at a target whose schema is not known yet.
const UNKNOWN: Duration = Duration::from_secs(15);
/// Between two looks at one that is.
const KNOWN: Duration = Duration::from_secs(10 * 60);

/// Reads the target's schema until somebody says stop. Whether it changed is told by its revision.
pub(crate) async fn run(target: Target, stop: CancellationToken) {
    let mut revision: Option<String> = None;
    loop {
        let pause = match target.connector().schema(&target.ctx("schema", 1, Lane::Bulk)).await {
            Ok(schema) => {
                if revision.as_ref().is_some_and(|known| *known != schema.revision) {
                    tracing::warn!(
                        target = target.name(),
                        revision = schema.revision,
                        "The target's schema changed; `chartgate check` and `chartgate target test` tell what that means."
                    );
                }
                revision = Some(schema.revision);
                KNOWN
            }
            Err(error) => {
                tracing::debug!(target = target.name(), %error, "The target's schema is not known yet.");
                UNKNOWN
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}
