//! The proof of a closing.

use super::{Outcome, Turn};
use connector_spi::{AccountState, Class, ConnError};

impl Turn<'_> {
    /// Ends sessions and asks for the effect of a closing. Where the target cannot tell, the closing is unverified, and says so.
    pub(super) async fn prove(&self, done: Outcome) -> Outcome {
        let Turn { wanted, cx, .. } = self;
        let (Some(closing), Some(id), None) = (wanted.closing, done.native_id.clone(), done.error.as_ref()) else {
            return done;
        };
        if closing.keep {
            return done;
        }
        let kind = &self.link.key.kind;
        let mut seen = done.seen.clone().unwrap_or_default();
        let Some(effect) = self.target.connector().effect() else {
            seen.verified = Some(false);
            return Outcome { seen: Some(seen), applied: true, again: None, ..done };
        };
        if closing.sessions
            && let Err(error) = effect.revoke_sessions(cx, kind, &id).await
            && error.class != Class::Unsupported
        {
            let detail = "closed; sessions stay".to_owned();
            return Outcome { native_id: Some(id), seen: Some(seen), sent: None, detail, ..self.failed(error) };
        }
        match effect.effective(cx, kind, &id).await {
            Ok(effective) if effective.can_login == Some(true) && wanted.state != AccountState::Enabled => {
                seen.state = None;
                let detail = "closed without effect".to_owned();
                let failed = self.failed(ConnError::conflict("the target still lets the account in"));
                Outcome { native_id: Some(id), seen: Some(seen), sent: None, detail, ..failed }
            }
            Ok(effective) => {
                seen.verified = Some(effective.can_login == Some(false));
                Outcome { seen: Some(seen), applied: true, again: None, ..done }
            }
            Err(error) if error.class == Class::Unsupported => {
                seen.verified = Some(false);
                Outcome { seen: Some(seen), applied: true, again: None, ..done }
            }
            Err(error) => Outcome { native_id: Some(id), seen: Some(seen), sent: None, ..self.failed(error) },
        }
    }
}
