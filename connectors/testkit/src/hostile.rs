//! Values that mean something in some language, through a connector into its target: each stands there as exactly that value and
//! is read back equal, or is refused by the attribute's name and leaves nothing behind.

use async_trait::async_trait;
use connector_spi::{
    AccountState, Attrs, Change, Class, ConnError, Connector, Ctx, Delta, Host, Kind, NativeId, Value,
};
use futures_util::{StreamExt, stream};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::time::Instant;

/// Longest time of one call.
const PATIENCE: Duration = Duration::from_secs(30);

/// A look at the target that does not go through the connector.
#[async_trait]
pub trait Eye: Send + Sync {
    /// What stands in the target for this attribute of each of these records, in their order.
    async fn stands(&self, ids: &[NativeId], attribute: &str) -> Vec<Vec<String>>;
}

/// Where the values go.
pub struct Hostile<'h> {
    /// The connector.
    pub connector: Arc<dyn Connector>,
    /// Its host.
    pub host: Arc<dyn Host>,
    /// The kind of accounts.
    pub kind: Kind,
    /// The person of a number; keys are the number's own.
    pub person: &'h (dyn Fn(u32) -> Attrs + Send + Sync),
    /// A natural key that `person` gives; also one that takes a value is looked up by it.
    pub key: &'h str,
    /// The attributes that take each value, all at once.
    pub places: &'h [&'h str],
    /// How many records are worked on at a time.
    pub at_once: usize,
    /// The look past the connector.
    pub eye: &'h dyn Eye,
}

impl Hostile<'_> {
    /// Brings each value in by a create and again by an update; `first` is the number of the first person. Gives the values that
    /// were refused.
    ///
    /// # Errors
    /// What went wrong first, with the value.
    pub async fn survive(&self, corpus: &[String], first: u32) -> Result<Vec<String>, String> {
        let outcomes: Vec<Result<(String, Option<NativeId>), String>> = stream::iter(corpus.iter().zip(first..))
            .map(|(text, number)| async move {
                let kept = self.one(text, number).await.map_err(|why| format!("{text:?}: {why}"))?;
                Ok((text.clone(), kept))
            })
            .buffer_unordered(self.at_once)
            .collect()
            .await;
        let (mut refused, mut texts, mut ids) = (Vec::new(), Vec::new(), Vec::new());
        for outcome in outcomes {
            match outcome? {
                (text, None) => refused.push(text),
                (text, Some(id)) => {
                    texts.push(text);
                    ids.push(id);
                }
            }
        }
        for place in self.places {
            let all = self.eye.stands(&ids, place).await;
            if all.len() != ids.len() {
                return Err(format!("of {} records {} were looked at", ids.len(), all.len()));
            }
            if let Some((text, stands)) = texts.iter().zip(all).find(|(text, stands)| *stands != [text.as_str()]) {
                return Err(format!("{text:?}: {place} stands in the target as {stands:?}"));
            }
        }
        Ok(refused)
    }

    fn cx(&self, op: &str, number: u32) -> Ctx {
        Ctx::new(format!("hostile-{op}-{number}"), Instant::now() + PATIENCE, Arc::clone(&self.host))
    }

    fn named(&self, error: &ConnError) -> Result<(), String> {
        let named = error.attribute.as_deref().is_some_and(|name| self.places.contains(&name));
        if error.class == Class::Invalid && named { Ok(()) } else { Err(format!("{error:?}, not Invalid by name")) }
    }

    /// The record with the value, if it was kept.
    async fn one(&self, text: &str, number: u32) -> Result<Option<NativeId>, String> {
        let value = vec![Value::from(text)];
        let mut attrs = (self.person)(number);
        attrs.extend(self.places.iter().map(|place| ((*place).to_owned(), value.clone())));
        let made =
            self.connector.create(&self.cx("create", number), &self.kind, &attrs, AccountState::Enabled, &[]).await;
        let id = match made {
            Ok(made) if made.failed.is_empty() && !made.adopted => made.id,
            Ok(made) => return Err(format!("created as {made:?}")),
            Err(error) => {
                self.named(&error)?;
                let left = self.find(&attrs, self.key, number).await;
                // A key that is refused when it is written may be refused when it is looked up.
                return match left {
                    Ok(found) if found.is_empty() => Ok(None),
                    Err(error) if self.places.contains(&self.key) && error.class == Class::Invalid => Ok(None),
                    left => Err(format!("refused, and yet there is {left:?}")),
                };
            }
        };
        self.is_there(text, &id, number, "created").await?;
        if !self.places.contains(&self.key) {
            // A key may be one that the target never changes.
            for now in [format!("plain {number}"), text.to_owned()] {
                let set = Delta::Set(vec![Value::from(now.as_str())]);
                let attrs = self.places.iter().map(|place| ((*place).to_owned(), set.clone())).collect();
                let change = Change { attrs, ..Change::default() };
                let updated = self.connector.update(&self.cx(&now, number), &self.kind, &id, &change).await;
                let failed = updated.map(|updated| updated.failed);
                if !failed.as_ref().is_ok_and(Vec::is_empty) {
                    return Err(format!("updated to {now:?}: {failed:?}"));
                }
            }
            self.is_there(text, &id, number, "updated").await?;
            return Ok(Some(id));
        }
        let found = self.find(&attrs, self.key, number).await;
        match found {
            Ok(found) if found == [id.clone()] => Ok(Some(id)),
            found => Err(format!("made as {id} and found by its {} as {found:?}", self.key)),
        }
    }

    async fn find(&self, attrs: &Attrs, key: &str, number: u32) -> Result<Vec<NativeId>, ConnError> {
        let value = attrs.get(key).and_then(|values| values.first()).cloned();
        let key: BTreeMap<String, Value> = value.into_iter().map(|value| (key.to_owned(), value)).collect();
        let found = self.connector.find(&self.cx("find", number), &self.kind, &key).await?;
        Ok(found.into_iter().map(|record| record.id).collect())
    }

    async fn is_there(&self, text: &str, id: &NativeId, number: u32, how: &str) -> Result<(), String> {
        let read = self.connector.get(&self.cx("get", number), &self.kind, id).await;
        let record = match read {
            Ok(Some(record)) => record,
            other => return Err(format!("{how} and read as {other:?}")),
        };
        for place in self.places {
            let read = record.attrs.get(*place);
            if read != Some(&vec![Value::from(text)]) {
                return Err(format!("{place} was {how} and is read as {read:?}"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{Memory, TestHost};

    /// What the model itself says, or the same without white space at its ends.
    struct Look(Memory, bool);

    #[async_trait]
    impl Eye for Look {
        async fn stands(&self, ids: &[NativeId], attribute: &str) -> Vec<Vec<String>> {
            let host = TestHost::with(self.0.subject().secrets, None);
            let mut all = Vec::new();
            for id in ids {
                let record = self.0.connector().get(&host.ctx(), &"account".into(), id).await.unwrap().unwrap();
                let texts = record.attrs.get(attribute).into_iter().flatten().filter_map(Value::as_text);
                all.push(texts.map(|text| if self.1 { text.trim().to_owned() } else { text.to_owned() }).collect());
            }
            all
        }
    }

    async fn survived(trims: bool) -> Result<Vec<String>, String> {
        let memory = Memory::new();
        let subject = memory.subject();
        let fixture = subject.fixture.account;
        let person = move |number: u32| -> Attrs {
            let filled = |value: &Value| match value {
                Value::Text(text) => Value::from(text.replace("{n}", &number.to_string())),
                other => other.clone(),
            };
            fixture.attrs.iter().map(|(name, all)| (name.clone(), all.iter().map(filled).collect())).collect()
        };
        let text = memory.subject().fixture.account.text;
        let keys = memory.target_schema().kinds.remove(&Kind::from("account")).unwrap().natural_keys;
        let suite = Hostile {
            connector: memory.connector(),
            host: TestHost::with(subject.secrets, None),
            kind: "account".into(),
            person: &person,
            key: &keys[0][0],
            places: &[&text],
            at_once: 2,
            eye: &Look(memory.clone(), trims),
        };
        suite.survive(&["' OR '1'='1".to_owned(), "space ".to_owned()], 10_000_000).await
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_kept_as_it_is_survives_and_what_is_trimmed_does_not() {
        assert_eq!(survived(false).await, Ok(Vec::new()));
        let why = survived(true).await.unwrap_err();
        assert!(why.contains("stands in the target as [\"space\"]"), "{why}");
    }
}
