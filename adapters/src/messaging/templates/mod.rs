//! The templates of e-mails, SMS and pages. The built-in ones are part of the binary; a file of the same name in the
//! operator's folder replaces one. Reads that folder once, at the start.

mod builtin;
mod folder;
mod samples;
mod style_hashes;
mod template_values;

use std::path::Path;

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior};
use serde_json::Value;

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

/// Every template, parsed and ready.
#[derive(Debug)]
pub struct Renderer {
    environment: Environment<'static>,
}

impl Renderer {
    /// The built-in templates, with those of `dir` in place of their namesakes. The folder's templates are parsed and
    /// rendered with samples, so that a typing error is found now and not when the first e-mail is due.
    ///
    /// # Errors
    /// [`TemplateError::Folder`] with everything that is wrong with the folder; [`TemplateError::Render`] for a
    /// built-in template that does not parse, which the tests rule out.
    pub fn new(dir: Option<&Path>) -> Result<Self, TemplateError> {
        let mut renderer = Self { environment: environment()? };
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

    fn replace(&mut self, dir: &Path) -> Result<(), TemplateError> {
        let mut found = folder::read(dir);
        for (name, source) in found.templates {
            if let Err(error) = self.environment.add_template_owned(name, source) {
                found.problems.push(format!("{error}"));
            }
        }
        if found.problems.is_empty() {
            found.problems = samples().iter().filter_map(|sample| self.try_sample(sample).err()).collect();
            found.problems.dedup();
        }
        if found.problems.is_empty() { Ok(()) } else { Err(TemplateError::Folder(found.problems)) }
    }

    fn try_sample(&self, sample: &Sample) -> Result<(), String> {
        let context = sample.context.clone();
        let rendered = match sample.kind {
            Kind::Email => self.render_email(sample.name, context).map(drop),
            Kind::Text => self.render_text(sample.name, context).map(drop),
            Kind::Page => self.render_page(sample.name, context).map(drop),
        };
        rendered.map_err(|error| error.to_string())
    }

    /// Renders an e-mail. `message` is the name of its folder, such as `mail_email_verify`.
    ///
    /// # Errors
    /// When there is no such message, a variable is missing, or the template fails.
    pub fn render_email(&self, message: &str, context: Value) -> Result<RenderedEmail, TemplateError> {
        let values = template_values::values(context);
        Ok(RenderedEmail {
            subject: template_values::one_line(&self.render(format!("emails/{message}/subject.txt"), &values)?),
            text: self.render(format!("emails/{message}/body.txt"), &values)?,
            html: self.render(format!("emails/{message}/body.html"), &values)?,
        })
    }

    /// Renders an SMS or the text of a call. `message` is a file's name without its ending, such as `otp` or `otp_voice`.
    ///
    /// # Errors
    /// When there is no such message, a variable is missing, or the template fails.
    pub fn render_text(&self, message: &str, context: Value) -> Result<String, TemplateError> {
        let values = template_values::values(template_values::single_lines(context));
        let text = self.render(format!("texts/{message}.txt"), &values)?;
        let lines = text.lines().map(template_values::one_line).filter(|line| !line.is_empty());
        Ok(lines.collect::<Vec<_>>().join("\n"))
    }

    /// Renders a page. `page` is a file's name, such as `reset.html`.
    ///
    /// # Errors
    /// When there is no such page, a variable is missing, or the template fails.
    pub fn render_page(&self, page: &str, context: Value) -> Result<String, TemplateError> {
        self.render(format!("pages/{page}"), &template_values::values(context))
    }

    fn render(&self, name: String, values: &minijinja::Value) -> Result<String, TemplateError> {
        let rendered = self.environment.get_template(&name).and_then(|template| template.render(values));
        rendered.map_err(|source| TemplateError::Render { name, source })
    }
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
    environment.add_filter("defang_links", template_values::defang_links);
    // its first name, in templates of operators
    environment.add_filter("unlinked", template_values::defang_links);
    Ok(environment)
}

#[cfg(test)]
mod tests;
