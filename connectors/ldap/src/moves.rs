//! Renaming and moving entries, and what follows from it.
//!
//! Where the server keeps no referential integrity, groups go on listing the old name, so the connector carries the memberships
//! over after the renaming. When its answer is lost, the second try finds the entry under its new name, with nothing left to
//! rename: so the old name is kept in mind until the memberships have followed. That does not survive a restart; then the old
//! name stays in its groups, and a reconciliation shows the account without them. A server with the overlay refint does all of
//! this by itself.

use crate::{
    directory::{Directory, Place, Write},
    dn, error,
    shape::Shape,
    subschema::Facts,
};
use connector_spi::{ConnError, Ctx, NativeId, Result};

impl Directory {
    /// Gives an entry another name or another place.
    ///
    /// # Errors
    /// `Invalid` when there is no such place, else as the directory refuses.
    pub(crate) async fn move_to(
        &self,
        cx: &Ctx,
        facts: &Facts,
        place: &mut Place<'_>,
        rdn: Option<&dn::Rdn>,
        parent: Option<&str>,
    ) -> Result<()> {
        let (first, above) = dn::split(&place.dn);
        let (first, above) = (first.to_owned(), above.to_owned());
        let parent = parent.filter(|parent| dn::folded(parent) != dn::folded(&above));
        let same = rdn.is_none_or(|rdn| dn::first_part(rdn.as_str()) == dn::first_part(&first));
        if same && parent.is_none() {
            return Ok(());
        }
        let old = place.dn.clone();
        let rdn = rdn.map_or(first, |rdn| rdn.as_str().to_owned());
        let write = Write::Rename { rdn: rdn.clone(), parent: parent.map(str::to_owned) };
        let mut session = self.pool.session(cx).await?;
        let follows = place.shape.is_account() && !place.shape.active;
        if follows {
            self.moves.learn(place.id.as_str(), &old);
        }
        let result = self.write(&mut session, facts, place, &write).await?;
        drop(session);
        if result.rc != 0 {
            self.moves.forget(place.id.as_str());
        }
        match result.rc {
            0 => {}
            32 => return Err(ConnError::invalid("the new entry above does not exist").code(32)),
            code => return Err(error::refused(code, &result.text, "renaming an entry", &self.pool.codes)),
        }
        let above = parent.map_or_else(|| dn::split(&place.dn).1.to_owned(), str::to_owned);
        place.dn = format!("{rdn},{above}");
        self.names.learn(place.id.as_str(), &place.dn);
        // An Active Directory carries every membership over by itself.
        if follows {
            self.follow(cx, &old, &place.dn).await?;
            self.moves.forget(place.id.as_str());
        }
        Ok(())
    }

    /// Carries memberships over that stayed behind when the answer to a renaming was lost. Where somebody else has the old name
    /// by now, the memberships under it are somebody else's.
    pub(crate) async fn catch_up(&self, cx: &Ctx, shape: &Shape, id: &NativeId) -> Result<()> {
        let Some(old) = self.moves.of(id.as_str()) else { return Ok(()) };
        let wanted = [shape.id.clone()];
        let mut session = self.pool.session(cx).await?;
        let entry = self.by_id(&mut session, shape, id, &wanted).await?;
        let moved = entry.filter(|entry| dn::folded(&entry.dn) != dn::folded(&old));
        if let Some(entry) = moved
            && session.entry(&old, &wanted, "looking for an old name").await?.is_none()
        {
            drop(session);
            self.names.learn(id.as_str(), &entry.dn);
            self.follow(cx, &old, &entry.dn).await?;
        }
        self.moves.forget(id.as_str());
        Ok(())
    }
}
