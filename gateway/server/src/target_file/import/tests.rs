//! Files made from descriptions are sound as they are.

use super::*;
use crate::kinds::Kinds;
use crate::target_file;

/// A description of a made-up staff service, written for this test.
const WSDL: &str = r#"<?xml version="1.0"?>
<w:definitions xmlns:w="http://schemas.xmlsoap.org/wsdl/" xmlns:s="http://schemas.xmlsoap.org/wsdl/soap/"
  xmlns:x="http://www.w3.org/2001/XMLSchema" xmlns:m="urn:test:staff" targetNamespace="urn:test:staff">
 <w:types><x:schema targetNamespace="urn:test:staff" elementFormDefault="qualified">
  <x:simpleType name="Short"><x:restriction base="x:string"><x:maxLength value="20"/></x:restriction></x:simpleType>
  <x:simpleType name="Grade"><x:restriction base="x:string"><x:enumeration value="A"/><x:enumeration value="B"/></x:restriction></x:simpleType>
  <x:complexType name="Names"><x:sequence><x:element name="Last" type="m:Short"/><x:element name="First" type="m:Short" minOccurs="0"/></x:sequence></x:complexType>
  <x:complexType name="Base"><x:sequence><x:element name="StaffID" type="x:string" minOccurs="0"/></x:sequence></x:complexType>
  <x:complexType name="Staff"><x:complexContent><x:extension base="m:Base"><x:sequence>
    <x:element name="Name" type="m:Names"/><x:element name="Grade" type="m:Grade"/><x:element name="Active" type="x:boolean"/>
    <x:element name="Tag" type="x:string" minOccurs="0" maxOccurs="unbounded"/>
    <x:element name="Boss" type="m:Staff" minOccurs="0"/>
    <x:element name="Phone" minOccurs="0" maxOccurs="9"><x:complexType><x:sequence><x:element name="Kind" type="x:string"/></x:sequence></x:complexType></x:element>
  </x:sequence></x:extension></x:complexContent></x:complexType>
  <x:element name="GetStaff"><x:complexType><x:sequence><x:element name="StaffID" type="x:string"/></x:sequence></x:complexType></x:element>
  <x:element name="GetStaffResponse"><x:complexType><x:sequence><x:element name="Staff" type="m:Staff"/></x:sequence></x:complexType></x:element>
  <x:element name="UpdateStaff"><x:complexType><x:sequence><x:element name="StaffID" type="x:string"/><x:element name="Staff" type="m:Staff"/></x:sequence></x:complexType></x:element>
  <x:element name="AddStaff"><x:complexType><x:sequence><x:element name="Staff" type="m:Staff"/></x:sequence></x:complexType></x:element>
  <x:element name="Done"><x:complexType><x:sequence><x:element name="StaffID" type="x:string"/></x:sequence></x:complexType></x:element>
  <x:element name="Suspend"><x:complexType><x:sequence><x:element name="StaffID" type="x:string"/></x:sequence></x:complexType></x:element>
  <x:element name="Problem"><x:complexType><x:sequence><x:element name="Code" type="x:string"/></x:sequence></x:complexType></x:element>
 </x:schema></w:types>
 <w:message name="GetStaff"><w:part name="b" element="m:GetStaff"/></w:message>
 <w:message name="GetStaffResponse"><w:part name="b" element="m:GetStaffResponse"/></w:message>
 <w:message name="UpdateStaff"><w:part name="b" element="m:UpdateStaff"/></w:message>
 <w:message name="AddStaff"><w:part name="b" element="m:AddStaff"/></w:message>
 <w:message name="Suspend"><w:part name="b" element="m:Suspend"/></w:message>
 <w:message name="Done"><w:part name="b" element="m:Done"/></w:message>
 <w:message name="Problem"><w:part name="b" element="m:Problem"/></w:message>
 <w:portType name="StaffPort">
  <w:operation name="GetStaff"><w:input message="m:GetStaff"/><w:output message="m:GetStaffResponse"/><w:fault name="f" message="m:Problem"/></w:operation>
  <w:operation name="UpdateStaff"><w:input message="m:UpdateStaff"/><w:output message="m:Done"/></w:operation>
  <w:operation name="AddStaff"><w:input message="m:AddStaff"/><w:output message="m:Done"/></w:operation>
  <w:operation name="Suspend"><w:input message="m:Suspend"/><w:output message="m:Done"/></w:operation>
 </w:portType>
 <w:binding name="B" type="m:StaffPort"><s:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>
  <w:operation name="GetStaff"><s:operation soapAction="urn:get"/></w:operation></w:binding>
 <w:service name="Staff"><w:port name="Main" binding="m:B"><s:address location="https://staff.hosp.example:8443/ws/staff"/></w:port></w:service>
</w:definitions>"#;

/// The same in OpenAPI.
const OPENAPI: &str = r##"{
  "openapi": "3.1.0", "info": {"title": "Staff\nservice", "version": "1"}, "servers": [{"url": "https://staff.hosp.example/api"}],
  "paths": {
    "/staff": {
      "get": {
        "operationId": "listStaff",
        "parameters": [{"name": "login", "in": "query"}, {"name": "limit", "in": "query"}, {"$ref": "#/components/parameters/Offset"}],
        "responses": {"200": {"content": {"application/json": {"schema": {"type": "object", "properties": {
          "items": {"type": "array", "items": {"$ref": "#/components/schemas/Staff"}}, "total": {"type": "integer"}}}}}}}
      },
      "post": {"requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Staff"}}}}, "responses": {"201": {}}}
    },
    "/staff/{staffId}": {
      "get": {"responses": {"200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Staff"}}}}}},
      "patch": {"requestBody": {"content": {"application/merge-patch+json": {"schema": {}}}}, "responses": {"200": {}}},
      "delete": {"responses": {"204": {}}}
    },
    "/staff/{staffId}/suspend": {"post": {"operationId": "suspend", "responses": {"204": {}}}},
    "/elsewhere": {"$ref": "https://elsewhere.example/paths.json"}
  },
  "components": {
    "parameters": {"Offset": {"name": "offset", "in": "query"}},
    "securitySchemes": {"main": {"type": "oauth2", "flows": {"clientCredentials": {"tokenUrl": "/oauth2/token"}}}},
    "schemas": {"Staff": {"allOf": [{"$ref": "#/components/schemas/Base"}, {"type": "object", "required": ["login"], "properties": {
      "login": {"type": "string", "maxLength": 20}, "grade": {"type": ["string", "null"], "enum": ["A", "B"]},
      "name": {"type": "object", "properties": {"last": {"type": "string"}}}, "since": {"type": "string", "format": "date-time", "readOnly": true},
      "tags": {"type": "array", "items": {"type": "string"}}, "phones": {"type": "array", "items": {"type": "object"}},
      "boss": {"$ref": "#/components/schemas/Staff"}, "password": {"type": "string", "writeOnly": true}
    }}]}, "Base": {"type": "object", "properties": {"id": {"type": "string", "readOnly": true}}}}
  }
}"##;

fn made(description: &str) -> String {
    let imported = import(description).unwrap();
    let kinds = Kinds::built_in();
    let reading = target_file::read("made.toml", imported.text.clone(), None, &kinds);
    let problems: Vec<String> = reading.problems.iter().map(ToString::to_string).collect();
    assert!(problems.is_empty(), "{problems:#?}\n{}", imported.text);
    assert_eq!(reading.file.unwrap().kind, imported.kind);
    imported.text
}

#[test]
fn a_wsdl_becomes_a_file_that_is_sound_as_it_is() {
    let text = made(WSDL);
    for line in [
        "namespaces = { p = \"urn:test:staff\" }",
        "path = \"ws/staff\"",
        "version = \"soap_1_1\"",
        "#   url = \"https://staff.hosp.example:8443\"",
        "role = \"account\"",
        "id = \"p:StaffID\"",
        "last = { at = \"p:Name/p:Last\", required = true, max_length = 20 }",
        "first = { at = \"p:Name/p:First\", max_length = 20 }",
        "grade = { at = \"p:Grade\", required = true, allowed = [\"A\", \"B\"] }",
        "active = { at = \"p:Active\", type = \"boolean\", required = true }",
        "tag = { at = \"p:Tag\", multi = true }",
        "code_at = [\"detail/p:Problem/p:Code\"]",
        "  <p:StaffID>{id}</p:StaffID>",
        "    <p:Tag t:each=\"attrs.tag\">{item}</p:Tag>",
        "# [kinds.staff.create]",
        "# Suspend:",
    ] {
        assert!(text.lines().any(|one| one == line), "{line}\n{text}");
    }
}

#[test]
fn an_openapi_becomes_a_file_that_is_sound_as_it_is() {
    let text = made(OPENAPI);
    for line in [
        "# Staff service: a starting file, made from OpenAPI by `chartgate target import`.",
        "path = \"/staff\"",
        "id = \"/id\"",
        "login = { at = \"/login\", required = true, max_length = 20 }",
        "grade = { at = \"/grade\", allowed = [\"A\", \"B\"] }",
        "last = { at = \"/name/last\" }",
        "since = { at = \"/since\", type = \"timestamp\", creatable = false, updatable = false }",
        "tags = { at = \"/tags\", multi = true }",
        "items = \"/items\"",
        "pages = { by = \"offset\", offset = \"offset\", limit = \"limit\" }",
        "request = { method = \"GET\", path = \"/staff\", query = { login = \"key.login\" } }",
        "# [kinds.staff.create]",
        "# { method = \"POST\", path = \"/staff/{staffId}/suspend\" }     # suspend",
    ] {
        assert!(text.lines().any(|one| one == line), "{line}\n{text}");
    }
    assert!(!text.contains("password ="), "what can only be written is no attribute");
    assert!(text.contains("content_type = \"application/merge-patch+json\""), "{text}");
}

#[test]
fn yaml_says_the_same_as_json() {
    assert_eq!(made(&format!("# the same, and a comment\n{OPENAPI}")), made(OPENAPI));
    let text = made(
        "openapi: 3.0.3\ninfo: {title: Pager service}\npaths:\n  /pagers/{id}:\n    get:\n      responses:\n        200:\n          \
         content:\n            application/json:\n              schema:\n                type: object\n                properties:\n                  \
         id: {type: string}\n                  number: {type: string, maxLength: 12}\n",
    );
    assert!(text.contains("number = { at = \"/number\", updatable = false, max_length = 12 }"), "{text}");
}

#[test]
fn what_is_no_description_is_refused_in_words() {
    let refused = |text: &str| import(text).unwrap_err();
    assert!(refused("openapi: [3.0.0\n").contains("no YAML"));
    assert!(refused("just words").contains("OpenAPI 3"));
    let bomb = (1..30).fold("a0: &a0 [x]\n".to_owned(), |text, n| {
        let above = n - 1;
        text + &format!("a{n}: &a{n} [*a{above}, *a{above}, *a{above}, *a{above}]\n")
    });
    assert!(refused(&bomb).contains("no YAML"));
    assert!(refused(&format!("a: {}", "[".repeat(100_000))).contains("no YAML"));
    assert!(refused("{\"swagger\": \"2.0\"}").contains("OpenAPI 3"));
    assert!(refused("{").contains("no JSON"));
    assert!(refused("<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a/>").contains("document type"));
    assert!(refused("<a/>").contains("WSDL"));
    assert!(refused(&"<a>".repeat(1_000)).contains("too deeply"));
    assert!(refused(&WSDL.replace("element=\"m:", "type=\"m:")).contains("document/literal"));
    assert!(refused(&"{".repeat(9 << 20)).contains("8 MiB"));
}

#[test]
fn hostile_names_do_not_break_out_of_comments_or_strings() {
    let text = OPENAPI
        .replace("listStaff", "a\\nb = 1")
        .replace("suspend\"", "s\\\"\\n[check]\\nx\"")
        .replace("\"login\"", "\"lo\\\"gin\\n\"");
    made(&text);
    made(&WSDL.replace("name=\"Main\"", "name=\"a&#10;b&quot; = 1\"").replace("urn:get", "urn:&quot;&#10;x"));
}
