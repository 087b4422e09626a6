//! The same way in for scripts and other people's servers: what a form asks as JSON, and the answers as JSON, with
//! the same guards. Scripts of other sites may use it where the form names their origin (Fetch: CORS); without
//! cookies there is nothing else of a visitor's that they could use.

use std::collections::BTreeMap;
use std::fmt;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::de::{Deserializer, Error as _, MapAccess, Visitor as Visits};
use serde_json::{Value, json};

use super::frame::Frame;
use super::signup::{Which, filled, form_token, page_of, way_in};
use crate::audience::form::LANGUAGES;
use crate::store::form::Form;
use crate::store::newsletter::Newsletter;
use crate::values::address::Address;
use crate::verbs::app::{App, to_the_end};
use crate::verbs::membership::{self, SLOW_SECONDS, SignUp, SignedUp};
use crate::web::error::WebError;
use crate::web::visitor::Visitor;

/// How long a browser may remember what an origin may do.
const PREFLIGHT_SECONDS: &str = "600";

/// A filled-in form. Names that are not here are an error: a misspelt one would lose what it says.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    email: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    fields: Fields,
    #[serde(default)]
    topics: Vec<String>,
    #[serde(default)]
    frequency: String,
    #[serde(default)]
    language: String,
    #[serde(default)]
    zone: String,
    #[serde(default)]
    website: String,
    shown: Option<String>,
    challenge: Option<String>,
    #[serde(default)]
    work: String,
}

/// Answers by key; twice the same key is an error, since nobody could say which was meant.
#[derive(Default)]
struct Fields(BTreeMap<String, String>);

impl<'de> serde::Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reads;
        impl<'de> Visits<'de> for Reads {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of answers")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = BTreeMap::new();
                while let Some((key, value)) = map.next_entry::<String, Answer>()? {
                    if fields.insert(key.clone(), value.0).is_some() {
                        return Err(A::Error::custom(format!("duplicate field `{key}`")));
                    }
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Reads)
    }
}

/// Text, a number, or yes and no as JSON says them.
struct Answer(String);

impl<'de> serde::Deserialize<'de> for Answer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(text) => Ok(Self(text)),
            Value::Number(number) => Ok(Self(number.to_string())),
            Value::Bool(yes) => Ok(Self(if yes { "yes" } else { "no" }.into())),
            Value::Null => Ok(Self(String::new())),
            _ => Err(D::Error::custom("an answer is text, a number, true or false")),
        }
    }
}

impl Body {
    /// As the fields of the page's form.
    fn pairs(self) -> Vec<(String, String)> {
        let mut pairs = vec![
            ("email".to_owned(), self.email),
            ("name".to_owned(), self.name),
            ("frequency".to_owned(), self.frequency),
            ("language".to_owned(), self.language),
            ("zone".to_owned(), self.zone),
            ("website".to_owned(), self.website),
            ("shown".to_owned(), self.shown.unwrap_or_default()),
            ("challenge".to_owned(), self.challenge.unwrap_or_default()),
            ("work".to_owned(), self.work),
        ];
        pairs.extend(self.topics.into_iter().map(|topic| ("topic".to_owned(), topic)));
        pairs.extend(self.fields.0);
        pairs
    }
}

/// What the form asks.
pub(super) async fn show(
    State(app): State<App>,
    Path(slug): Path<String>,
    Query(which): Query<Which>,
    headers: HeaderMap,
) -> Result<Response, WebError> {
    let Some((newsletter, form)) = open(&app, &slug, &which).await? else { return Ok(no_such_form()) };
    let mut f = Frame::of(&app, &newsletter);
    f.take_consent(&form);
    let asked = membership::questions(&app, &form).await?;
    let challenge = membership::challenge_now(&app, &newsletter, &form).await?;
    let languages: Vec<Value> = LANGUAGES.iter().map(|(tag, name)| json!({"tag": tag, "name": name})).collect();
    let body = json!({
        "newsletter": newsletter.name,
        "form": form.slug,
        "version": form.version,
        "consent": f.consent,
        "confirms": form.single_reason.is_empty(),
        "asks": asked,
        "languages": if asked.language { languages } else { Vec::new() },
        "shown": form_token(&app, &newsletter),
        "challenge": challenge,
        "wait_seconds": SLOW_SECONDS,
    });
    Ok(shared(&app, &form, &headers, answer(StatusCode::OK, &body)))
}

/// What a browser asks before a script of another site may send JSON.
pub(super) async fn preflight(
    State(app): State<App>,
    Path(slug): Path<String>,
    Query(which): Query<Which>,
    headers: HeaderMap,
) -> Result<Response, WebError> {
    let Some((_, form)) = open(&app, &slug, &which).await? else { return Ok(no_such_form()) };
    let mut response = StatusCode::NO_CONTENT.into_response();
    let set = response.headers_mut();
    set.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
    set.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("content-type"));
    set.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(PREFLIGHT_SECONDS));
    Ok(shared(&app, &form, &headers, response))
}

pub(super) async fn submit(
    State(app): State<App>,
    Path(slug): Path<String>,
    Query(which): Query<Which>,
    Visitor(ip): Visitor,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, WebError> {
    let Some((newsletter, form)) = open(&app, &slug, &which).await? else { return Ok(no_such_form()) };
    if is_foreign(&app, &form, &headers) {
        let words = "scripts of this origin may not use this form; nothing was sent";
        return Ok(refused(StatusCode::FORBIDDEN, "origin", "", words));
    }
    let response = match read(&headers, &body) {
        Ok(body) => take(&app, &newsletter, &form, ip, &headers, body).await?,
        Err(refused) => *refused,
    };
    Ok(shared(&app, &form, &headers, response))
}

fn read(headers: &HeaderMap, body: &[u8]) -> Result<Body, Box<Response>> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if kind.split(';').next().unwrap_or_default().trim() != "application/json" {
        let words = "send application/json; nothing was read";
        return Err(Box::new(refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content_type", "", words)));
    }
    serde_json::from_slice(body).map_err(|error| {
        let words = error.to_string();
        let twice = words.starts_with("duplicate field");
        Box::new(match (error.classify(), twice) {
            (_, true) => refused(StatusCode::BAD_REQUEST, "duplicate_field", "", &words),
            (serde_json::error::Category::Data, _) => refused(StatusCode::UNPROCESSABLE_ENTITY, "type", "", &words),
            _ => refused(StatusCode::BAD_REQUEST, "json", "", &words),
        })
    })
}

async fn take(
    app: &App,
    newsletter: &Newsletter,
    form: &Form,
    ip: std::net::IpAddr,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, WebError> {
    let pairs = body.pairs();
    let asked = membership::questions(app, form).await?;
    let strange = pairs.iter().skip(9).find(|(key, value)| {
        let known = asked.fields.iter().any(|field| field.key == *key);
        let topic = key == "topic" && asked.topics.iter().any(|topic| topic.key == *value);
        !known && !topic
    });
    if let Some((key, value)) = strange {
        let field = if key == "topic" { value } else { key };
        return Ok(refused(StatusCode::UNPROCESSABLE_ENTITY, "unknown_field", field, "this form does not ask for it"));
    }
    let address = match Address::parse(super::signup::said(&pairs, "email")) {
        Ok(address) => address,
        Err(bad) => {
            return Ok(refused(StatusCode::UNPROCESSABLE_ENTITY, bad.code(), "email", &bad.to_string()));
        }
    };
    let answers = match asked.read(&pairs) {
        Ok(answers) => answers,
        Err(wrong) => {
            let (field, bad) = wrong.first().map_or(("", String::new()), |(key, bad)| (key.as_str(), bad.to_string()));
            return Ok(refused(StatusCode::UNPROCESSABLE_ENTITY, "answer", field, &bad));
        }
    };
    let page = page_of(app, headers, newsletter, form);
    let form = SignUp { ip, page, ..filled(newsletter, form, &address, &answers, &pairs) };
    let app2 = app.clone();
    let signed_up = to_the_end(async move { membership::sign_up(&app2, form).await }).await?;
    Ok(match signed_up {
        SignedUp::LookInYourMail => answer(StatusCode::OK, &json!({"status": "look_in_your_mail"})),
        SignedUp::In => answer(StatusCode::OK, &json!({"status": "taken"})),
        SignedUp::Work(challenge) => {
            let error = json!({"code": "work", "field": "", "message": "do the work and send it again, or wait"});
            let body = json!({"error": error, "challenge": challenge, "wait_seconds": SLOW_SECONDS});
            answer(StatusCode::PRECONDITION_REQUIRED, &body)
        }
        SignedUp::TooMany => refused(
            StatusCode::TOO_MANY_REQUESTS,
            "too_many",
            "",
            "too many sign-ups within the hour; nothing was sent",
        ),
    })
}

async fn open(app: &App, slug: &str, which: &Which) -> anyhow::Result<Option<(Newsletter, Form)>> {
    Ok(way_in(app, slug, &which.form).await?.filter(|(_, form)| form.is_open))
}

fn no_such_form() -> Response {
    refused(StatusCode::NOT_FOUND, "not_found", "", "there is no such form")
}

fn refused(status: StatusCode, code: &str, field: &str, message: &str) -> Response {
    answer(status, &json!({"error": {"code": code, "field": field, "message": message}}))
}

fn answer(status: StatusCode, body: &Value) -> Response {
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    (status, headers, body.to_string()).into_response()
}

fn origin(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::ORIGIN).and_then(|value| value.to_str().ok())
}

/// Whether a script of an origin sends this that the form does not name. A program that is no browser names none.
fn is_foreign(app: &App, form: &Form, headers: &HeaderMap) -> bool {
    let Some(origin) = origin(headers) else { return false };
    let ours = url::Url::parse(&app.config.public_url).is_ok_and(|url| url.origin().ascii_serialization() == origin);
    !ours && !form.origins.lines().any(|known| known == origin)
}

/// Lets the script that asked read the answer, if it may.
fn shared(app: &App, form: &Form, headers: &HeaderMap, mut response: Response) -> Response {
    let set = response.headers_mut();
    set.append(header::VARY, HeaderValue::from_static("origin"));
    if let Some(Ok(origin)) = origin(headers).filter(|_| !is_foreign(app, form, headers)).map(HeaderValue::from_str) {
        set.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        // The site's own policy is for its own pages; this answer is for whoever may read it.
        set.insert(
            header::HeaderName::from_static("cross-origin-resource-policy"),
            HeaderValue::from_static("cross-origin"),
        );
    }
    response
}
