"""nbgrader's settings: read by its own commands, by `hyplearn course build` and by `hyplearn grade`."""

c = get_config()  # noqa: F821 (nbgrader defines it)

c.CourseDirectory.course_id = "hyplearn"
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "exercises"
# nbgrader copies whatever lies beside a solution notebook into the release: nothing but the notebook may go out.
c.CourseDirectory.ignore = [".ipynb_checkpoints", "__pycache__", "*.py", "*.pyc"]
