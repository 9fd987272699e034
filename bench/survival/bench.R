# The same tasks in R, on the same file; one line of JSON a task.
# usage: Rscript bench.R FILE RUNS [TASK]
suppressMessages({library(survival); library(jsonlite)})
arg <- commandArgs(TRUE); file <- arg[1]; runs <- as.integer(arg[2]); only <- if (length(arg) > 2) arg[3] else ""
n <- file.size(file) / 8 / 22
con <- file(file, "rb"); M <- matrix(readBin(con, "double", n * 22, endian = "little"), n, 22); close(con)
X <- M[, 3:22]; time <- M[, 1]; status <- M[, 2]; rm(M)
CTL <- coxph.control()
i <- seq_len(n) - 1
measure <- function(name, f, answer) {
  if (only != "" && only != name) return(invisible())
  wall <- cpu <- numeric(runs)
  for (k in seq_len(runs)) { t <- system.time(g <- f()); wall[k] <- t[["elapsed"]]; cpu[k] <- t[["user.self"]] + t[["sys.self"]] }
  cat(toJSON(c(list(task = name, seconds = median(wall), cpu = median(cpu)), answer(g)), auto_unbox = TRUE, digits = I(15)), "\n")
}
cox <- function(g) list(coef = unname(g$coefficients), se = unname(sqrt(diag(g$var))), answer = list(loglik_null = g$loglik[1], loglik = g$loglik[2]))
fit <- function(y, method, strata = NULL) coxph.fit(X, y, strata, control = CTL, method = method, rownames = NULL, resid = FALSE)
y <- Surv(time, status)
measure("cox_efron", function() fit(y, "efron"), cox)
measure("cox_breslow", function() fit(y, "breslow"), cox)
yc <- Surv(time - (i * 0.61803398874989484820) %% 1, status)
measure("cox_continuous", function() fit(yc, "efron"), cox)
ys <- Surv(pmax(0, time - 1 - i %% 10), time, status)
# Without strata and clusters, which is what R is granted in this comparison.
measure("cox_startstop_strata_cluster", function() agreg.fit(X, ys, NULL, NULL, NULL, CTL, NULL, "efron", NULL, resid = FALSE), cox)
measure("concordance_x1", function() concordance(y ~ X[, 1], reverse = TRUE),
  function(g) list(answer = c(list(c = unname(g$concordance), se = sqrt(unname(g$var))), as.list(g$count))))
measure("kaplan_meier", function() survfit(y ~ 1), function(g) { s <- summary(g, times = 60); list(answer = list(surv60 = s$surv, se60 = s$std.err)) })
measure("weibull", function() survreg(y ~ X), function(g) list(coef = unname(coef(g)), answer = list(loglik = g$loglik[2], scale = g$scale)))
if (Sys.getenv("GLMNET") == "1" && requireNamespace("glmnet", quietly = TRUE)) {
  suppressMessages(library(glmnet))
  measure("path50", function() glmnet(X, y, family = "cox", nlambda = 50), function(g) list(answer = list(lambda_max = g$lambda[1])))
}
