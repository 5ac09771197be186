"""From the texts in sources/ to the notebooks of the course: build, check, list, a student's own copy, the doctor.

layout    where the files of a course lie
source    the grammar of a source text, and its notebook (without outputs)
execute   run a notebook; tidy its outputs; compare two runs
release   the students' version of a solution notebook, by nbgrader
build     make what is stale
check     find what has drifted
student   a student's own copy: start, submit
doctor    is this machine ready for the course?
command   the command line of all that
"""
