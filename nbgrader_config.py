"""nbgrader's settings: read by its own commands, by `hyplearn course build` and by `hyplearn grade`."""

c = get_config()  # noqa: F821 (nbgrader defines it)

c.CourseDirectory.course_id = "hyplearn"
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "exercises"
# nbgrader copies whatever lies beside a solution notebook into the release: nothing but the notebook may go out.
c.CourseDirectory.ignore = [".ipynb_checkpoints", "__pycache__", "*.py", "*.pyc"]

# Grading (docs/instructors.md): `nbgrader autograde` goes the same trusted way as `hyplearn grade`. Of a submission,
# only the sources of the solution cells are taken; they run in a sandbox; the tests run outside it.
c.Autograde.sanitize_preprocessors = ["hyplearn.grading.steps.Transplant"]
c.Autograde.autograde_preprocessors = [
    "hyplearn.grading.steps.TrustedVerify",
    "nbgrader.preprocessors.SaveAutoGrades",
    "nbgrader.preprocessors.AssignLatePenalties",
]
# Nothing that a student wrote runs in the instructor's browser: not in the formgrader, and no file beside the notebook.
c.HTMLExporter.sanitize_html = True
c.CourseDirectory.ignore += ["*.html", "*.htm", "*.xhtml", "*.svg", "*.xml", "*.js"]
# The secret that varies the inputs of hidden tests does not belong into a public file: set HYPLEARN_SEED.
