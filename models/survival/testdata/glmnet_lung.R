# glmnet on lung with the ranks of the times in place of the times: the
# case glmnet_lung of reference.json without glmnet's rounding. It moves censored rows behind events
# of the same day by adding 2e-14 to them, which is lost for days from 256 on.
# R 4.2.2, glmnet 4.1-6.  usage: Rscript glmnet_lung.R >glmnet_lung.json
suppressMessages({library(survival); library(glmnet); library(jsonlite)})
glmnet.control(mxitnr = 2000, fdev = 0, epsnr = 1e-12)
d <- lung[complete.cases(lung[, c("age", "sex", "ph.ecog")]), ]; x <- as.matrix(d[, c("age", "sex", "ph.ecog")])
y <- Surv(match(d$time, sort(unique(d$time))), d$status - 1)
lambda <- c(.1, .05, .02, .01, .005, .001)
out <- list()
for (k in list(list("lasso_std", 1, TRUE), list("enet50_std", .5, TRUE), list("ridge_std", 0, TRUE), list("lasso_raw", 1, FALSE))) {
  g <- glmnet(x, y, family = "cox", alpha = k[[2]], lambda = lambda, standardize = k[[3]], thresh = 1e-15, maxit = 1e7)
  out[[k[[1]]]] <- list(alpha = k[[2]], standardize = k[[3]], lambda = lambda, nulldev = g$nulldev, dev_ratio = unname(g$dev.ratio), df = unname(g$df), beta_columns_are_lambda = unname(as.matrix(g$beta)))
}
cat(toJSON(out, digits = I(15), auto_unbox = TRUE), "\n")
