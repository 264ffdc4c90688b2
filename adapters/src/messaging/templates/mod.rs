//! The templates of e-mails, SMS and pages. The built-in ones are part of the binary; a file of the same name in the
//! operator's folder replaces one. Those of a language other than English are below its tag (`de/pages/reset.html`), with
//! its catalogue. Reads the folder once, at the start.

mod builtin;
mod catalogue;
mod folder;
mod samples;
mod style_hashes;
mod template_values;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior};
use portcullis_core::model::code::{Code, Violation};
use portcullis_core::model::locale::Locale;
use serde_json::Value;

use catalogue::Catalogue;
pub use samples::{Kind, Sample, samples};
pub use style_hashes::style_hashes;

/// Why a template cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// The operator's folder cannot be used. Every reason, each with the file it is about.
    #[error("{}", .0.join("; "))]
    Folder(Vec<String>),
    /// A template failed. The reason names variables and lines, never values.
    #[error("the template {name} failed: {source}")]
    Render {
        /// The template's name below the folder.
        name: String,
        /// The template engine's error.
        source: minijinja::Error,
    },
}

/// A rendered e-mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenderedEmail {
    /// One line.
    pub subject: String,
    /// The plain text part.
    pub text: String,
    /// The HTML part.
    pub html: String,
}

/// The look of pages and mails that an operator chooses.
#[derive(Debug, Clone)]
pub struct Brand {
    /// The application that they lead back to.
    pub app_url: Option<String>,
    /// Whether the server has a logo at `/assets/logo`.
    pub has_logo: bool,
    /// Whether mail programs can show it: most show no SVG.
    pub logo_in_mails: bool,
    /// The accent colour of mails, on a light ground.
    pub accent: String,
    /// The same on a dark ground.
    pub accent_dark: String,
}

impl Default for Brand {
    fn default() -> Self {
        let [accent, accent_dark] = ["#1b625b", "#7fd1c4"].map(str::to_owned);
        Self { app_url: None, has_logo: false, logo_in_mails: false, accent, accent_dark }
    }
}

/// Every template, parsed and ready.
#[derive(Debug)]
pub struct Renderer {
    environment: Environment<'static>,
    /// By language.
    catalogues: BTreeMap<String, Catalogue>,
}

impl Renderer {
    /// The built-in templates, with those of `dir` in place of their namesakes. The folder's templates are parsed and
    /// rendered with samples, so that a typing error is found now and not when the first e-mail is due.
    ///
    /// # Errors
    /// [`TemplateError::Folder`] with everything that is wrong with the folder; [`TemplateError::Render`] for a
    /// built-in template that does not parse, which the tests rule out.
    pub fn new(dir: Option<&Path>) -> Result<Self, TemplateError> {
        let mut renderer = Self { environment: environment()?, catalogues: BTreeMap::new() };
        for (language, source) in builtin::CATALOGUES {
            let catalogue = serde_json::from_str(source);
            let catalogue = catalogue.map_err(|error| TemplateError::Folder(vec![format!("{language}: {error}")]))?;
            renderer.catalogues.insert((*language).to_owned(), catalogue);
        }
        for (name, source) in builtin::TEMPLATES {
            let added = renderer.environment.add_template(name, source);
            added.map_err(|source| TemplateError::Render { name: (*name).to_owned(), source })?;
        }
        if let Some(dir) = dir {
            renderer.replace(dir)?;
        }
        Ok(renderer)
    }

    /// Sets `path_prefix`, which pages put in front of the server's own paths. Without it the prefix is empty.
    #[must_use]
    pub fn with_path_prefix(mut self, prefix: String) -> Self {
        self.environment.add_global("path_prefix", prefix);
        self
    }

    /// Sets the variables of an operator's own look. Without it pages and mails have the built-in one.
    #[must_use]
    pub fn with_brand(mut self, brand: Brand) -> Self {
        set_brand(&mut self.environment, brand);
        self
    }

    fn replace(&mut self, dir: &Path) -> Result<(), TemplateError> {
        let mut found = folder::read(dir);
        for (name, source) in found.templates {
            if let Err(error) = self.environment.add_template_owned(name, source) {
                found.problems.push(format!("{error}"));
            }
        }
        for (language, catalogue) in found.catalogues {
            self.catalogues.entry(language).or_default().extend(catalogue);
        }
        if found.problems.is_empty() {
            let languages: Vec<&str> = self.languages().collect();
            let this = &*self;
            let tried =
                |language| samples().into_iter().filter_map(move |sample| this.try_sample(&sample, language).err());
            found.problems = languages.into_iter().flat_map(tried).collect();
            found.problems.dedup();
        }
        if found.problems.is_empty() { Ok(()) } else { Err(TemplateError::Folder(found.problems)) }
    }

    /// The languages that have a catalogue, by their tags.
    pub fn languages(&self) -> impl Iterator<Item = &str> {
        self.catalogues.keys().map(String::as_str)
    }

    /// Whether there are texts in a language, or in the one that it is a variety of.
    #[must_use]
    pub fn speaks(&self, locale: &Locale) -> bool {
        locale.lookup_range().any(|language| self.catalogues.contains_key(language))
    }

    /// A duration for people: `24 hours`.
    #[must_use]
    pub fn duration(&self, locale: &Locale, duration: Duration) -> String {
        self.look_up(locale, |catalogue| catalogue.duration(duration)).unwrap_or_default()
    }

    /// The message of a violation, in a language.
    #[must_use]
    pub fn message(&self, locale: &Locale, violation: &Violation) -> String {
        let catalogue = locale.lookup_range().find_map(|language| self.catalogues.get(language));
        let english = &violation.message;
        catalogue.map_or_else(|| english.clone(), |catalogue| catalogue.message(violation.code, english))
    }

    /// The sentence of a code, in a language.
    #[must_use]
    pub fn title(&self, locale: &Locale, code: Code) -> String {
        self.message(locale, &Violation::new("", code))
    }

    /// The first answer of the catalogues of a language, its more general forms and English.
    fn look_up<T>(&self, locale: &Locale, text: impl Fn(&Catalogue) -> Option<T>) -> Option<T> {
        let languages = locale.lookup_range().chain(["en"]);
        languages.filter_map(|language| self.catalogues.get(language)).find_map(text)
    }

    fn try_sample(&self, sample: &Sample, language: &str) -> Result<(), String> {
        let context = sample.context.clone();
        let locale = Locale::from_stored(language.to_owned());
        let rendered = match sample.kind {
            Kind::Email => self.render_email(sample.name, &locale, context).map(drop),
            Kind::Text => self.render_text(sample.name, &locale, context).map(drop),
            Kind::Page => self.render_page(sample.name, &locale, context).map(drop),
        };
        rendered.map_err(|error| error.to_string())
    }

    /// Renders an e-mail. `message` is the name of its folder, such as `mail_email_verify`.
    ///
    /// # Errors
    /// When there is no such message, a variable is missing, or the template fails.
    pub fn render_email(&self, message: &str, locale: &Locale, context: Value) -> Result<RenderedEmail, TemplateError> {
        let part = |part: &str| format!("emails/{message}/{part}");
        Ok(RenderedEmail {
            subject: template_values::one_line(&self.render(&part("subject.txt"), locale, context.clone())?),
            text: self.render(&part("body.txt"), locale, context.clone())?,
            html: self.render(&part("body.html"), locale, context)?,
        })
    }

    /// Renders an SMS or the text of a call. `message` is a file's name without its ending, such as `otp` or `otp_voice`.
    ///
    /// # Errors
    /// When there is no such message, a variable is missing, or the template fails.
    pub fn render_text(&self, message: &str, locale: &Locale, context: Value) -> Result<String, TemplateError> {
        let text = self.render(&format!("texts/{message}.txt"), locale, template_values::single_lines(context))?;
        let lines = text.lines().map(template_values::one_line).filter(|line| !line.is_empty());
        Ok(lines.collect::<Vec<_>>().join("\n"))
    }

    /// Renders a page. `page` is a file's name, such as `reset.html`.
    ///
    /// # Errors
    /// When there is no such page, a variable is missing, or the template fails.
    pub fn render_page(&self, page: &str, locale: &Locale, context: Value) -> Result<String, TemplateError> {
        self.render(&format!("pages/{page}"), locale, context)
    }

    /// Renders a template of the first language that has it; English has all.
    fn render(&self, name: &str, locale: &Locale, mut context: Value) -> Result<String, TemplateError> {
        let own = |language: &str| (language.to_owned(), format!("{language}/{name}"));
        let localized = locale.lookup_range().take_while(|language| *language != "en").map(own);
        let (language, name) = localized
            .into_iter()
            .find(|(_, name)| self.environment.get_template(name).is_ok())
            .unwrap_or_else(|| ("en".to_owned(), name.to_owned()));
        self.add_language(&Locale::from_stored(language), &mut context);
        let values = template_values::values(context);
        let rendered = self.environment.get_template(&name).and_then(|template| template.render(&values));
        rendered.map_err(|source| TemplateError::Render { name, source })
    }

    /// Adds the variables that every template has: `lang`, `dir` and `words`.
    fn add_language(&self, locale: &Locale, context: &mut Value) {
        let Some(members) = context.as_object_mut() else { return };
        let app_name = members.get("app_name").and_then(Value::as_str).unwrap_or_default().to_owned();
        let english = self.catalogues.get("en").into_iter().flat_map(|catalogue| catalogue.words.keys());
        let word = |key: &String| {
            let word = self.look_up(locale, |catalogue| catalogue.words.get(key).cloned()).unwrap_or_default();
            (key.clone(), Value::String(word.replace("{app_name}", &app_name)))
        };
        let words: serde_json::Map<String, Value> = english.map(word).collect();
        let dir = if locale.is_right_to_left() { "rtl" } else { "ltr" };
        members.insert("lang".to_owned(), locale.as_str().into());
        members.insert("dir".to_owned(), dir.into());
        members.insert("words".to_owned(), Value::Object(words));
    }
}

fn set_brand(environment: &mut Environment<'static>, brand: Brand) {
    environment.add_global("app_url", brand.app_url);
    environment.add_global("app_logo", brand.has_logo);
    environment.add_global("mail_logo", brand.logo_in_mails);
    environment.add_global("accent", brand.accent);
    environment.add_global("accent_dark", brand.accent_dark);
}

fn environment() -> Result<Environment<'static>, TemplateError> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(syntax.map_err(|source| TemplateError::Render { name: "syntax".to_owned(), source })?);
    // An error with debug information carries the values that were being rendered: someone's name, a link.
    environment.set_debug(false);
    environment.set_formatter(template_values::write_value);
    environment.add_global("path_prefix", "");
    environment.add_global("public_url", "");
    set_brand(&mut environment, Brand::default());
    environment.add_filter("defang_links", template_values::defang_links);
    // its first name, in templates of operators
    environment.add_filter("unlinked", template_values::defang_links);
    Ok(environment)
}

#[cfg(test)]
mod tests;
