//! The protocol's JSON Schema.

use super::{
    Applied, Apply, Cancel, Changed, Changes, CheckConfig, CheckedConfig, Create, Done, Find, HostEvent, HostSecret,
    HostSecretGiven, Initialize, Initialized, Latest, List, MAX_FRAME, One, Open, Opened, Plain, SetPassword, Ticket,
    Update,
};
use connector_spi::{
    ConnError, Created, Effective, Health, HttpRequest, HttpResponse, Page, Record, SPI, SyncToken, TargetSchema,
    TicketState, Updated,
};
use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;

struct Description {
    types: SchemaGenerator,
    methods: Map<String, Json>,
}

impl Description {
    fn request<P: JsonSchema, R: JsonSchema>(&mut self, from: &str, name: &str) {
        let (params, result) = (self.types.subschema_for::<P>(), self.types.subschema_for::<R>());
        self.methods.insert(name.to_owned(), json!({ "from": from, "params": params, "result": result }));
    }

    fn notification<P: JsonSchema>(&mut self, from: &str, name: &str) {
        let params = self.types.subschema_for::<P>();
        self.methods.insert(name.to_owned(), json!({ "from": from, "params": params }));
    }
}

/// Every method with the schemas of its parameters and its result (JSON Schema 2020-12). `from` says who sends it; a method
/// without `result` is a notification.
#[must_use]
pub fn protocol() -> Json {
    let types = SchemaSettings::draft2020_12().into_generator();
    let mut all = Description { types, methods: Map::new() };
    all.request::<Initialize, Initialized>("host", "initialize");
    all.request::<CheckConfig<'_>, CheckedConfig>("host", "check_config");
    all.request::<Open<'_>, Opened>("host", "open");
    all.request::<Plain<'_>, Health>("host", "check");
    all.request::<Plain<'_>, TargetSchema>("host", "schema");
    all.request::<One<'_>, Option<Record>>("host", "get");
    all.request::<Find<'_>, Vec<Record>>("host", "find");
    all.request::<Create<'_>, Created>("host", "create");
    all.request::<Update<'_>, Updated>("host", "update");
    all.request::<One<'_>, Done>("host", "delete");
    all.request::<List<'_>, Page<Record>>("host", "list");
    all.request::<Latest<'_>, SyncToken>("host", "latest");
    all.request::<Changes<'_>, Changed>("host", "changes");
    all.request::<Apply<'_>, Vec<Applied>>("host", "apply");
    all.request::<SetPassword<'_>, Done>("host", "set_password");
    all.request::<Plain<'_>, BTreeMap<String, Vec<String>>>("host", "discover");
    all.request::<One<'_>, Effective>("host", "effective");
    all.request::<One<'_>, Done>("host", "revoke_sessions");
    all.request::<Ticket<'_>, TicketState>("host", "ticket");
    all.request::<Done, Done>("host", "ping");
    all.request::<Done, Done>("host", "shutdown");
    all.notification::<Cancel>("either", "cancel");
    all.request::<HostSecret<'_>, HostSecretGiven>("plugin", "host.secret");
    all.request::<HttpRequest, HttpResponse>("plugin", "host.http");
    all.notification::<HostEvent>("plugin", "host.event");
    let error = all.types.subschema_for::<ConnError>();
    let mut types = all.types;
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The wire of a Chartgate plugin",
        "spi": [SPI.0, SPI.1],
        "maxFrame": MAX_FRAME,
        "errorData": error,
        "methods": all.methods,
        "$defs": types.take_definitions(true),
    })
}
