# Awkward random data sets and what R makes of them: models/survival/testdata/awkward.json.
# R 4.2.2, survival 3.5-3, glmnet 4.1-6.  usage: Rscript awkward.R >awkward.json
suppressMessages({library(survival); library(glmnet); library(jsonlite)})
glmnet.control(epsnr = 1e-15, mxitnr = 1000, fdev = 0)
CTL <- coxph.control(eps = 1e-14, toler.chol = 1e-15, iter.max = 60)
out <- list()
num <- function(x) { x <- unname(x); if (is.matrix(x)) lapply(seq_len(nrow(x)), function(i) unname(x[i, ])) else I(as.numeric(x)) }

# One row per interval at risk. ties: number of distinct times, or 0 for continuous ones.
draw <- function(seed, n, ties, startstop = FALSE) {
  set.seed(seed)
  d <- data.frame(a = round(rnorm(n), 3), b = rbinom(n, 1, .35), c = sample(0:4, n, TRUE))
  t <- rexp(n, .15 * exp(.5 * d$a - .6 * d$b + .1 * d$c)); cens <- rexp(n, .08)
  d$event <- as.integer(t <= cens); d$time <- pmin(t, cens)
  if (ties > 0) d$time <- pmax(1, ceiling(d$time / max(d$time) * ties * 2)); d$time <- pmin(d$time, if (ties > 0) ties else Inf)
  d$entry <- 0
  if (startstop) d$entry <- if (ties > 0) floor(d$time * runif(n) * .9) else d$time * runif(n) * .9
  d$cause <- ifelse(d$event == 1, sample(1:3, n, TRUE, c(.5, .3, .2)), 0)
  d$w <- sample(c(.5, 1, 1.25, 2, 3.75), n, TRUE); d$off <- round(rnorm(n) / 3, 2)
  d$s <- sample(1:3, n, TRUE); d$id <- sample(seq_len(ceiling(n / 3)), n, TRUE)
  d
}

cox <- function(name, d, ties, entry = FALSE, w = FALSE, off = FALSE, strata = FALSE, cluster = FALSE) {
  y <- if (entry) Surv(d$entry, d$time, d$event) else Surv(d$time, d$event)
  f <- y ~ a + b + c
  if (off) f <- update(f, . ~ . + offset(off)); if (strata) f <- update(f, . ~ . + strata(s))
  env <- environment(); environment(f) <- env
  arg <- list(f, data = d, ties = ties, control = CTL, x = TRUE, y = TRUE, robust = FALSE)
  if (w) arg$weights <- d$w
  g <- do.call(coxph, arg)
  r <- list(coef = num(coef(g)), se = num(sqrt(diag(vcov(g)))), loglik = num(g$loglik), score = g$score, wald = unname(g$wald.test), n = g$n, events = g$nevent)
  if (ties != "exact") {
    id <- if (cluster) d$id else seq_len(nrow(d))
    db <- residuals(g, type = "dfbeta", weighted = TRUE, collapse = id)
    r$robust_se <- num(sqrt(diag(crossprod(as.matrix(db)))))
    r$martingale <- num(head(residuals(g), 20)); r$deviance <- num(head(residuals(g, "deviance"), 20)); r$score_resid <- num(head(residuals(g, "score"), 20))
    r$dfbeta <- num(head(residuals(g, "dfbeta"), 20))
    for (tr in c("km", "identity", "rank", "log")) r$zph[[tr]] <- num(cox.zph(g, transform = tr)$table[, 1])
    nd <- data.frame(a = .4, b = 1, c = 2, off = 0, s = sort(unique(d$s)))
    if (!strata) nd <- nd[1, ]
    times <- quantile(d$time, c(.1, .3, .5, .8, 1), names = FALSE, type = 1)
    r$times <- num(times)
    for (k in seq_len(nrow(nd))) {
      sf <- survfit(g, newdata = nd[k, ], se.fit = TRUE, conf.type = "log-log")
      z <- summary(sf, times = times, extend = TRUE)
      r$curves[[k]] <- list(stratum = if (strata) nd$s[k] else 0, cumhaz = num(z$cumhaz), se = num(z$std.chaz), surv = num(z$surv), lower = num(ifelse(is.na(z$lower), z$surv, z$lower)), upper = num(ifelse(is.na(z$upper), z$surv, z$upper)))
    }
    cc <- do.call(concordance, list(g))
    r$concordance <- num(c(cc$concordance, sqrt(cc$var), if (is.matrix(cc$count)) colSums(cc$count) else cc$count))
  }
  list(name = name, ties = ties, entry = entry, w = w, off = off, strata = strata, cluster = cluster, want = r)
}

# Every column of d as it is, cases of Cox on it.
sets <- list(
  heavy = draw(11, 150, 6), whole = draw(12, 140, 40), continuous = draw(13, 90, 0),
  startstop = draw(14, 160, 12, TRUE), gaps = draw(15, 120, 0, TRUE))
# Times that differ by rounding alone.
near <- draw(16, 80, 15); near$time <- near$time / 10 + 0.1 + 0.2; k <- near$id %% 2 == 0; near$time[k] <- round(near$time[k], 1); sets$near <- near
# A stratum without events.
odd <- draw(17, 150, 20); odd$event[odd$s == 2] <- 0; odd$cause[odd$s == 2] <- 0; sets$odd <- odd
for (n in names(sets)) {
  d <- sets[[n]]; e <- any(d$entry > 0); cases <- list()
  for (ties in c("efron", "breslow")) {
    cases <- c(cases, list(cox("plain", d, ties, e), cox("weights", d, ties, e, w = TRUE), cox("strata", d, ties, e, strata = TRUE, cluster = TRUE),
      cox("all", d, ties, e, w = TRUE, off = TRUE, strata = TRUE, cluster = TRUE), cox("offset", d, ties, e, off = TRUE)))
    if (e) cases <- c(cases, list(cox("no entry", d, ties, FALSE, w = TRUE)))
  }
  if (n %in% c("whole", "continuous", "near")) cases <- c(cases, list(cox("plain", d, "exact", e), cox("strata", d, "exact", e, strata = TRUE)))
  out$cox[[n]] <- list(data = lapply(d, num), cases = cases)
}

# Curves: entry, weights, ties of causes, strata; limits of all kinds.
curve <- function(d, entry, w, type) {
  y <- if (entry) Surv(d$entry, d$time, d$event) else Surv(d$time, d$event)
  arg <- list(y ~ s, data = d, conf.type = type); if (w) arg$weights <- d$w
  g <- do.call(survfit, arg)
  list(entry = entry, w = w, type = type, strata = num(g$strata), time = num(g$time), risk = num(g$n.risk), surv = num(g$surv), se = num(ifelse(is.finite(g$std.err), if (isFALSE(g$logse)) g$std.err else g$std.err * g$surv, 0)),
    lower = num(ifelse(is.na(g$lower), g$surv, g$lower)), upper = num(ifelse(is.na(g$upper), g$surv, g$upper)), cumhaz = num(g$cumhaz), se_cumhaz = num(g$std.chaz))
}
for (n in c("heavy", "continuous", "startstop", "gaps", "near")) {
  d <- sets[[n]]; e <- any(d$entry > 0); cases <- list()
  for (type in c("log-log", "log", "plain")) cases <- c(cases, list(curve(d, e, FALSE, type)))
  d2 <- d; d2$w <- sets[[n]]$w
  cases <- c(cases, list(curve(d, e, TRUE, "log-log")))
  out$km[[n]] <- cases
  sd <- list()
  if (!e) for (rho in c(0, 1, .5)) { g <- survdiff(Surv(time, event) ~ s, data = d, rho = rho); sd <- c(sd, list(list(rho = rho, obs = num(g$obs), exp = num(g$exp), chisq = g$chisq))) }
  out$logrank[[n]] <- sd
  y <- if (e) Surv(d$entry, d$time, factor(d$cause)) else Surv(d$time, factor(d$cause))
  aj <- list()
  for (weighted in c(FALSE, TRUE)) {
    arg <- list(y ~ s, data = d, id = seq_len(nrow(d))); if (weighted) arg$weights <- d$w
    g <- do.call(survfit, arg)
    aj <- c(aj, list(list(w = weighted, entry = e, strata = num(g$strata), time = num(g$time), pstate = num(g$pstate), se = num(g$std.err))))
  }
  out$aj[[n]] <- aj
}

# Concordance of a score with ties.
for (n in names(sets)) {
  d <- sets[[n]]; e <- any(d$entry > 0); y <- if (e) Surv(d$entry, d$time, d$event) else Surv(d$time, d$event)
  score <- round(d$a) + d$b; r <- list()
  for (k in list(c(F, F), c(T, F), c(F, T), c(T, T))) {
    f <- if (k[2]) y ~ score + strata(s) else y ~ score
    environment(f) <- environment()
    arg <- list(f, data = cbind(d, score), reverse = TRUE, timefix = TRUE); if (k[1]) arg$weights <- d$w
    g <- do.call(concordance, arg)
    cnt <- if (is.matrix(g$count)) colSums(g$count) else g$count
    r <- c(r, list(list(w = k[1], strata = k[2], entry = e, want = num(c(g$concordance, sqrt(g$var), cnt)))))
  }
  if (!e) { g <- concordance(y ~ score, reverse = TRUE, timewt = "n/G2"); r <- c(r, list(list(w = FALSE, strata = FALSE, entry = FALSE, uno = TRUE, want = num(c(g$concordance, sqrt(g$var), g$count))))) }
  out$concordance[[n]] <- r
}

# Parametric models: right censoring, all kinds of intervals, weights, offsets.
aft <- function(d, kind, dist, w, off) {
  y <- if (kind == "right") Surv(d$time, d$event) else Surv(ifelse(d$lo == 0, NA, d$lo), ifelse(is.finite(d$hi), d$hi, NA), type = "interval2")
  f <- if (off) y ~ a + b + c + offset(off) else y ~ a + b + c
  environment(f) <- environment()
  arg <- list(f, data = d, dist = dist, control = survreg.control(rel.tolerance = 1e-13, toler.chol = 1e-14, maxiter = 200)); if (w) arg$weights <- d$w
  g <- do.call(survreg, arg)
  list(kind = kind, dist = dist, w = w, off = off, coef = num(coef(g)), scale = g$scale, se = num(sqrt(diag(vcov(g)))), loglik = num(g$loglik))
}
for (n in c("heavy", "continuous", "odd")) {
  d <- sets[[n]]; d$w <- d$w + .25; set.seed(5); u <- sample(0:4, nrow(d), TRUE)
  d$lo <- ifelse(d$event == 0, d$time, ifelse(u == 0, 0, ifelse(u == 1, d$time, d$time * .7)))
  d$hi <- ifelse(d$event == 0, Inf, ifelse(u == 1, d$time, d$time * 1.4))
  cases <- list()
  for (dist in c("weibull", "exponential", "lognormal", "loglogistic")) for (kind in c("right", "interval")) for (k in list(c(F, F), c(T, F), c(T, T))) cases <- c(cases, list(aft(d, kind, dist, k[1], k[2])))
  h <- d$hi; h[!is.finite(h)] <- -1
  out$aft[[n]] <- list(lo = num(d$lo), hi = num(h), w = num(d$w), cases = cases)
}

# Fine-Gray: finegray() with coxph() on the rows it writes. Not weights with strata, where
# finegray 3.5-3 gives rows the weights of others (it looks them up before it takes the stratum).
for (n in c("heavy", "continuous", "whole")) {
  d <- sets[[n]]; d$id <- seq_len(nrow(d)); r <- list()
  for (k in list(c(F, F), c(F, T), c(T, F))) { strata <- k[1]; w <- k[2]
    f <- if (strata) Surv(time, factor(cause)) ~ . + strata(s) else Surv(time, factor(cause)) ~ .
    dd <- d[, c("time", "cause", "a", "b", "c", "id", "s", "w")]
    fg <- if (w) finegray(f, data = dd, weights = w, etype = "1") else finegray(f, data = dd, etype = "1")
    ff <- if (strata) Surv(fgstart, fgstop, fgstatus) ~ a + b + c + strata(s) else Surv(fgstart, fgstop, fgstatus) ~ a + b + c
    for (ties in c("efron", "breslow")) {
      g <- coxph(ff, data = fg, weights = fgwt, ties = ties, control = CTL, cluster = id)
      r <- c(r, list(list(strata = strata, w = w, ties = ties, coef = num(coef(g)), se = num(sqrt(diag(g$naive.var))), robust_se = num(sqrt(diag(g$var))), loglik = num(g$loglik))))
    }
  }
  out$finegray[[n]] <- r
}

# Elastic net, to 1e-15 of glmnet's own criterion. Times are ranks, since glmnet tells ties by adding 2e-14.
for (n in c("whole", "heavy", "startstop")) {
  d <- sets[[n]]; x <- as.matrix(d[, c("a", "b", "c")]); r <- list()
  e <- any(d$entry > 0)
  for (k in list(c(F, F), c(T, F), c(F, T))) for (alpha in c(1, .5)) {
    y <- if (e) Surv(d$entry, d$time, d$event) else Surv(d$time, d$event)
    if (k[2]) y <- stratifySurv(y, d$s)
    arg <- list(x, y, family = "cox", alpha = alpha, lambda = c(.1, .03, .01, .001), thresh = 1e-15, maxit = 1e7); if (k[1]) arg$weights <- d$w
    g <- suppressWarnings(do.call(glmnet, arg))
    r <- c(r, list(list(w = k[1], strata = k[2], entry = e, alpha = alpha, beta = num(t(as.matrix(g$beta))))))
  }
  out$glmnet[[n]] <- r
}

# Discrete time: glm on the expanded rows, the period as a factor, weights and offset.
for (n in c("heavy", "startstop")) {
  d <- sets[[n]]; rows <- do.call(rbind, lapply(seq_len(nrow(d)), function(i) { k <- (d$entry[i] + 1):d$time[i]; data.frame(d[rep(i, length(k)), ], k = k, y = as.integer(k == d$time[i] & d$event[i] == 1)) }))
  keep <- unique(rows$k[rows$y == 1]); rows <- rows[rows$k %in% keep, ]; r <- list()
  for (link in c("cloglog", "logit")) {
    g <- suppressWarnings(glm(y ~ 0 + factor(k) + a + b + c + offset(off), data = rows, weights = w, family = binomial(link), control = glm.control(epsilon = 1e-14, maxit = 100)))
    z <- coef(summary(g)); r <- c(r, list(list(link = link, coef = num(tail(z[, 1], 3)), se = num(tail(z[, 2], 3)))))
  }
  out$hazard[[n]] <- r
}
cat(toJSON(out, digits = I(17), auto_unbox = TRUE), "\n")
