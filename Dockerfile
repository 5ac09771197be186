# One submission in, one verdict out: the grader's worker as a container job (docs/instructors.md, "Past one machine").
#
#   docker build -t hyplearn-grade .
#   docker run --rm --network none --cap-add SYS_ADMIN --security-opt seccomp=unconfined --security-opt apparmor=unconfined \
#     -e HYPLEARN_SEED -v "$PWD/job:/job" hyplearn-grade \
#     --assignment 01_parallel_postulate --submission /job/in.ipynb --out /job/verdict.json
#
# The sandbox inside needs to make namespaces, which Docker's own filter forbids: hence the three options. Without them the
# job refuses to run; `--isolation none` makes the container the only wall, and the tests' inputs readable behind it.
FROM python:3.12-slim
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends bubblewrap && rm -rf /var/lib/apt/lists/*
WORKDIR /course
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY hyplearn hyplearn
COPY exercises exercises
RUN pip install --no-cache-dir --extra-index-url https://download.pytorch.org/whl/cpu -c constraints.txt ".[course]"
ENTRYPOINT ["python", "-m", "hyplearn.grading.verify", "--course", "/course"]
