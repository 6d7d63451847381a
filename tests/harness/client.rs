//! A SCIM client that hides nothing.

use serde_json::Value;

/// A client of one server with one token.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    token: String,
}

/// An answer, whole.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Header fields, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body as JSON; null where there is none or it is none.
    pub body: Value,
    /// The body as it came.
    pub raw: Vec<u8>,
}

impl Answer {
    /// A header field.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The resource's id.
    #[must_use]
    pub fn id(&self) -> String {
        self.body["id"].as_str().unwrap_or_else(|| panic!("no id in {:?}", self.body)).to_owned()
    }
}

impl Client {
    /// A client of the SCIM root `base`.
    #[must_use]
    pub fn new(base: &str, token: &str) -> Client {
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        Client { http, base: base.to_owned(), token: token.to_owned() }
    }

    /// The same client with another server, as after a restart on another port.
    #[must_use]
    pub fn at(&self, base: &str) -> Client {
        Client { base: base.to_owned(), ..self.clone() }
    }

    /// Sends a request with a JSON body. An error is a connection that broke: nobody knows whether it was done.
    pub async fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Answer, reqwest::Error> {
        let headers = [("content-type", "application/scim+json")];
        self.raw(method, path, &headers, body.map(|body| serde_json::to_vec(body).expect("JSON"))).await
    }

    /// Sends octets, with the client's token where no other `Authorization` is given.
    pub async fn raw(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Vec<u8>>,
    ) -> Result<Answer, reqwest::Error> {
        let own = format!("Bearer {}", self.token);
        let mut headers = headers.to_vec();
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization")) {
            headers.push(("authorization", &own));
        }
        self.bare(method, path, &headers, body).await
    }

    /// Sends octets with these headers and no others of ours.
    pub async fn bare(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Vec<u8>>,
    ) -> Result<Answer, reqwest::Error> {
        let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        let answer = request.send().await?;
        let status = answer.status().as_u16();
        let headers = answer.headers().iter();
        let headers =
            headers.map(|(k, v)| (k.as_str().to_owned(), v.to_str().unwrap_or_default().to_owned())).collect();
        let raw = answer.bytes().await?.to_vec();
        let body = serde_json::from_slice(&raw).unwrap_or(Value::Null);
        Ok(Answer { status, headers, body, raw })
    }

    /// POST.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, Some(body)).await.expect("an answer")
    }
    /// GET.
    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, None).await.expect("an answer")
    }
    /// PUT.
    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send("PUT", path, Some(body)).await.expect("an answer")
    }
    /// PATCH with these operations.
    pub async fn patch(&self, path: &str, operations: Value) -> Answer {
        let schemas = ["urn:ietf:params:scim:api:messages:2.0:PatchOp"];
        let body = serde_json::json!({ "schemas": schemas, "Operations": operations });
        self.send("PATCH", path, Some(&body)).await.expect("an answer")
    }
    /// DELETE.
    pub async fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, None).await.expect("an answer")
    }
}
