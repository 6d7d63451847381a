//! What a server may be able to do besides: list its resources, and what its word on `active` is worth.

use crate::{
    config::Memberships,
    connector::{ScimConnector, kind_of, unsupported},
    lookup, page,
    plan::Sort,
    record,
};
use async_trait::async_trait;
use connector_spi::{
    AccountState, ConnError, Ctx, Cursor, EffectFacet, Effective, Kind, Lister, NativeId, Page, Record, Result,
};
use futures_util::{StreamExt, TryStreamExt, stream};

/// Accounts of a page whose groups are searched at the same time.
const AT_ONCE: usize = 4;

#[async_trait]
impl Lister for ScimConnector {
    async fn list(&self, cx: &Ctx, kind: &Kind, cursor: Option<&Cursor>, size: u32) -> Result<Page<Record>> {
        let plan = self.plan(cx).await?;
        let kind = kind_of(&plan, kind)?;
        if !kind.caps.list {
            return Err(unsupported(kind, "be listed"));
        }
        // A catalogue of roles is paged by the RFC's own way; what the draft demands of it is not more.
        let place = page::place(cursor, plan.by_cursor)?;
        let size = if size == 0 { plan.page } else { size.min(plan.page) };
        let body = lookup::ask(&self.exchange(cx), &plan, kind, &place, size, None).await?;
        let read = page::read(&place, &body, record::id_of)?;
        let mut records = Vec::with_capacity(read.resources.len());
        let mut complete = read.whole;
        for raw in &read.resources {
            match record::read(&plan, kind, raw, None) {
                Some(record) => records.push(record),
                None => complete = false,
            }
        }
        let partial = kind.sort == Sort::Account && !self.config.account.lists_whole;
        if partial || (kind.sort == Sort::Account && plan.memberships == Some(Memberships::Groups)) {
            let (plan, kind) = (&*plan, kind);
            let whole = records.into_iter().map(|mut record| async move {
                if partial {
                    return Ok::<_, ConnError>(
                        self.fetch_whole(cx, plan, kind, &record.id).await?.map(|one| one.record),
                    );
                }
                self.complete(cx, plan, kind, &mut record).await?;
                Ok(Some(record))
            });
            let whole: Vec<Option<Record>> = stream::iter(whole).buffered(AT_ONCE).try_collect().await?;
            records = whole.into_iter().flatten().collect();
        }
        Ok(Page { items: records, next: read.next, total_hint: read.total, complete })
    }
}

/// Only where the configuration states the vendor's promise. Sessions are unknown in any case: SCIM has no word for them.
#[async_trait]
impl EffectFacet for ScimConnector {
    async fn effective(&self, cx: &Ctx, kind: &Kind, id: &NativeId) -> Result<Effective> {
        let plan = self.plan(cx).await?;
        let kind = kind_of(&plan, kind)?;
        if !kind.caps.effective {
            return Err(unsupported(kind, "be asked whether they can log in"));
        }
        let no = |why: &str| Effective { can_login: Some(false), sessions: None, why: vec![why.to_owned()] };
        Ok(match self.fetch(cx, &plan, kind, id).await? {
            None => no("absent"),
            Some(fetched) if fetched.record.state == AccountState::Disabled => {
                no("inactive, which refuses a login by the vendor's word")
            }
            Some(_) => Effective::default(),
        })
    }

    async fn revoke_sessions(&self, _: &Ctx, _: &Kind, _: &NativeId) -> Result<()> {
        Err(ConnError::unsupported("SCIM knows no sessions"))
    }
}
